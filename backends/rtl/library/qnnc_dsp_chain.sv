// SPDX-License-Identifier: Apache-2.0
// A chain of COUNT DSP48E1s: for each of FIELDS lanes, the sum of COUNT products of
// the lane's weights and activations that the lanes share. The first COUNT -
// LEVELS cycles hold two DSP48E1s each, the others one, so that there are LEVELS
// cycles; operands arrive together and are delayed here. A sum comes out 2 +
// LEVELS cycles later, with the lane's part of STARTS added, and 2**OVERLAP - 1
// more in every lane but the first (compiler/dataflow/dsp_packing.py says why).
//
// Weights are digits for `qnnc_dsp_word`, all of lane 0 first.
module qnnc_dsp_chain #(
    parameter integer COUNT = 4,
    parameter integer LEVELS = 2,
    parameter integer FIELDS = 2,
    parameter integer SPACING = 17,
    parameter integer OVERLAP = 1,
    parameter integer X_BITS = 8,
    parameter integer X_SIGNED = 0,
    parameter integer W_BITS = 8,
    parameter integer W_SIGNED = 1,
    parameter integer WIDTH = 18,
    parameter [47:0] STARTS = 48'd0,
    parameter [FIELDS*2-1:0] RESTS = {FIELDS * 2{1'b0}}
) (
    input  wire                           aclk,
    input  wire [       COUNT*X_BITS-1:0] x,
    input  wire [FIELDS*COUNT*W_BITS-1:0] w,
    output wire [       FIELDS*WIDTH-1:0] sums
);
  localparam integer WORD = (FIELDS - 1) * SPACING + W_BITS;
  // the 25-bit port takes the wider operand
  localparam [0:0] SWAP = FIELDS == 1 && X_BITS + (X_SIGNED == 0 ? 1 : 0) > 18;
  localparam integer A_BITS = SWAP ? X_BITS : WORD;
  localparam integer B_BITS = SWAP ? WORD : X_BITS;
  localparam integer DOUBLES = COUNT - LEVELS;
  // STARTS has zeros where residues go
  wire [FIELDS*48-1:0] residues;
  reg [47:0] starts;
  integer k;
  always @* begin
    starts = STARTS;
    for (k = 0; k < FIELDS; k = k + 1) starts = starts | residues[k*48+:48];
  end
  wire [COUNT*48-1:0] p;
  wire [COUNT*48-1:0] up;
  wire [47:0] sum = p[(COUNT-1)*48+:48];

  genvar f, i;
  generate
    for (i = 0; i < COUNT; i = i + 1) begin : dsp
      localparam integer LEVEL = i < 2 * DOUBLES ? i / 2 : i - DOUBLES;
      localparam integer LAST = i < 2 * DOUBLES ? i % 2 : 1;
      wire [FIELDS*W_BITS-1:0] digits;
      for (f = 0; f < FIELDS; f = f + 1) begin : digit
        assign digits[f*W_BITS+:W_BITS] = w[(f*COUNT+i)*W_BITS+:W_BITS];
      end
      wire [FIELDS*W_BITS-1:0] digits_q;
      wire [X_BITS-1:0] x_q;
      qnnc_delay #(
          .WIDTH (FIELDS * W_BITS + X_BITS),
          .CYCLES(LEVEL > 1 ? LEVEL - 1 : 0)
      ) stagger (
          .aclk(aclk),
          .in({digits, x[i*X_BITS+:X_BITS]}),
          .out({digits_q, x_q})
      );
      wire [WORD-1:0] word;
      qnnc_dsp_word #(
          .FIELDS(FIELDS),
          .SPACING(SPACING),
          .BITS(W_BITS),
          .SIGNED(W_SIGNED)
      ) weights (
          .digits(digits_q),
          .word(word)
      );
      wire [A_BITS-1:0] a;
      wire [B_BITS-1:0] b;
      if (SWAP) begin : swapped
        assign a = x_q;
        assign b = word;
      end else begin : straight
        assign a = word;
        assign b = x_q;
      end
      wire [47:0] below;
      if (i == 0) begin : first
        assign below = 48'd0;
      end else begin : next
        assign below = up[(i-1)*48+:48];
      end
      qnnc_dsp #(
          .A_BITS(A_BITS),
          .A_SIGNED(SWAP ? X_SIGNED : W_SIGNED),
          .B_BITS(B_BITS),
          .B_SIGNED(SWAP ? W_SIGNED : X_SIGNED),
          .DELAY(LEVEL > 0 ? 1 : 0),
          .REGISTERED(LAST),
          .ADDEND(i > 0 ? 1 : 0)
      ) mac (
          .aclk(aclk),
          .a(a),
          .b(b),
          .c(starts),
          .cascade(below),
          .fresh(1'b0),
          .enable(1'b1),
          .p(p[i*48+:48]),
          .up(up[i*48+:48])
      );
    end

    for (f = 0; f < FIELDS; f = f + 1) begin : field
      if (OVERLAP == 0 || f == 0) begin : whole
        assign residues[f*48+:48] = 48'd0;
        assign sums[f*WIDTH+:WIDTH] = sum[f*SPACING+:WIDTH];
      end else begin : split
        wire [COUNT-1:0] negative;
        for (i = 0; i < COUNT; i = i + 1) begin : sign
          assign negative[i] = W_SIGNED != 0 ? w[((f-1)*COUNT+i+1)*W_BITS-1] : 1'b0;
        end
        wire [OVERLAP-1:0] g, g_q;
        assign residues[f*48+:48] = 48'(g) << (f * SPACING);
        qnnc_dsp_residue #(
            .COUNT(COUNT),
            .BITS(OVERLAP),
            .X_BITS(X_BITS),
            .X_SIGNED(X_SIGNED),
            .W_BITS(W_BITS),
            .W_SIGNED(W_SIGNED),
            .REST(RESTS[f*2+:OVERLAP])
        ) residue (
            .aclk(aclk),
            .x(x),
            .w(w[f*COUNT*W_BITS+:COUNT*W_BITS]),
            .below(negative),
            .g(g)
        );
        qnnc_delay #(
            .WIDTH (OVERLAP),
            .CYCLES(LEVELS + 1)
        ) align (
            .aclk(aclk),
            .in  (g),
            .out (g_q)
        );
        assign sums[f*WIDTH+:WIDTH] = {sum[f*SPACING+OVERLAP+:WIDTH-OVERLAP], ~g_q};
      end
    end
  endgenerate
endmodule
