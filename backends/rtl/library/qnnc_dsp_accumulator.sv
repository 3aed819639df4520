// SPDX-License-Identifier: Apache-2.0
// One DSP48E1 that adds up the products of a pass for each of FIELDS lanes: a
// weight of the lane times an activation that the lanes share.
//
// Two cycles after the operands, `valid` says that there were any and `last`
// that they were the last of a pass; `totals` follows in the next cycle. Every
// field but the last starts at half its range, so that it is never negative.
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
  localparam integer SWAP = FIELDS == 1 && X_BITS + (X_SIGNED == 0) > 18;
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
  qnnc_dsp #(
      .A_BITS(SWAP ? X_BITS : WORD),
      .A_SIGNED(SWAP ? X_SIGNED : W_SIGNED),
      .B_BITS(SWAP ? WORD : X_BITS),
      .B_SIGNED(SWAP ? W_SIGNED : X_SIGNED),
      .ADDEND(2),
      .START(START)
  ) mac (
      .aclk(aclk),
      .a(SWAP ? x : word),
      .b(SWAP ? word : x),
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
      wire sign = p[f*SPACING+BITS-1] ^ (f < FIELDS - 1);
      wire [BITS+WIDTH-1:0] padded = {{WIDTH + 1{sign}}, p[f*SPACING+:BITS-1]};
      assign totals[f*WIDTH+:WIDTH] = padded[WIDTH-1:0];
    end
  endgenerate
endmodule
