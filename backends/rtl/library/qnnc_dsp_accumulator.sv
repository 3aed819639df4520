// SPDX-License-Identifier: Apache-2.0
// One DSP48E1 that adds up the products of a pass for each of FIELDS lanes: the
// lane's weight times an activation that the lanes share.
//
// Two cycles after the operands, `valid` says that there were any and `last` that
// they were the last of a pass; `totals` follows one cycle later. Every field but
// the last starts at half its range, so that it is never negative.
//
// Weights are digits for `qnnc_dsp_word`.
module qnnc_dsp_accumulator #(
    parameter integer FIELDS = 2,
    parameter integer SPACING = 21,
    parameter integer X_BITS = 4,
    parameter integer X_SIGNED = 0,
    parameter integer W_BITS = 4,
    parameter integer W_SIGNED = 1,
    parameter integer WIDTH = 16
) (
    input  wire                     aclk,
    input  wire                     aresetn,
    input  wire [       X_BITS-1:0] x,
    input  wire [FIELDS*W_BITS-1:0] w,
    input  wire                     valid,
    input  wire                     last,
    output wire [ FIELDS*WIDTH-1:0] totals
);
  localparam integer WORD = (FIELDS - 1) * SPACING + W_BITS;
  // the 25-bit port takes the wider operand
  localparam [0:0] SWAP = FIELDS == 1 && X_BITS + (X_SIGNED == 0 ? 1 : 0) > 18;
  localparam integer A_BITS = SWAP ? X_BITS : WORD;
  localparam integer B_BITS = SWAP ? WORD : X_BITS;
  localparam [47:0] HALF = FIELDS > 1 ? 48'd1 << (SPACING - 1) : 48'd0;
  localparam [47:0] START = FIELDS > 2 ? HALF | (HALF << SPACING) : HALF;
  wire [WORD-1:0] word;
  wire [47:0] p;
  reg fresh;
  always @(posedge aclk)
    if (!aresetn) fresh <= 1'b1;
    else if (valid) fresh <= last;

  qnnc_dsp_word #(
      .FIELDS(FIELDS),
      .SPACING(SPACING),
      .BITS(W_BITS),
      .SIGNED(W_SIGNED)
  ) weights (
      .digits(w),
      .word(word)
  );
  wire [A_BITS-1:0] a;
  wire [B_BITS-1:0] b;
  generate
    if (SWAP) begin : swapped
      assign a = x;
      assign b = word;
    end else begin : straight
      assign a = word;
      assign b = x;
    end
  endgenerate
  qnnc_dsp #(
      .A_BITS(A_BITS),
      .A_SIGNED(SWAP ? X_SIGNED : W_SIGNED),
      .B_BITS(B_BITS),
      .B_SIGNED(SWAP ? W_SIGNED : X_SIGNED),
      .ADDEND(2),
      .START(START)
  ) mac (
      .aclk(aclk),
      .a(a),
      .b(b),
      .c(48'd0),
      .cascade(48'd0),
      .fresh(fresh),
      .enable(valid),
      .p(p),
      .up()
  );

  genvar f;
  generate
    for (f = 0; f < FIELDS; f = f + 1) begin : field
      localparam integer BITS = f < FIELDS - 1 ? SPACING : 48 - f * SPACING;
      // a field that starts at half its range shows its sign inverted
      wire sign = p[f*SPACING+BITS-1] ^ (f < FIELDS - 1 ? 1'b1 : 1'b0);
      assign totals[f*WIDTH+:WIDTH] = WIDTH'($signed({sign, p[f*SPACING+:BITS-1]}));
    end
  endgenerate
endmodule
