// SPDX-License-Identifier: Apache-2.0
// The integer part of a fixed-point number (two's complement, WIDTH bits, SHIFT
// of them fractional), rounded down and clipped to LOW..HIGH; two cycles. With
// EVEN, numbers that are exactly an odd integer become one less: if 1/2 was added
// before, ties round to even. The result has OUT bits, signed if LOW is negative.
// CHECK_LOW or CHECK_HIGH is 0 if the number cannot lie beyond that end.
module qnnc_clip #(
    parameter integer WIDTH = 16,
    parameter integer SHIFT = 4,
    parameter integer EVEN = 0,
    parameter integer LOW = 0,
    parameter integer HIGH = 255,
    parameter integer CHECK_LOW = 1,
    parameter integer CHECK_HIGH = 1,
    parameter integer OUT = 8
) (
    input  wire             aclk,
    input  wire [WIDTH-1:0] in,
    output reg  [  OUT-1:0] out
);
  // one bit more than needed, so that there is always a sign above the result
  localparam integer WHOLE = (WIDTH - SHIFT > OUT ? WIDTH - SHIFT : OUT) + 1;
  localparam [OUT-1:0] LOWEST = LOW[OUT-1:0];
  localparam [OUT-1:0] HIGHEST = HIGH[OUT-1:0];
  wire [WHOLE-1:0] floor = WHOLE'($signed(in[WIDTH-1:SHIFT]));
  wire [WHOLE-1:0] whole;
  generate
    if (EVEN != 0 && SHIFT > 0) begin : ties
      wire tie = ~(|in[SHIFT-1:0]);
      assign whole = {floor[WHOLE-1:1], floor[0] & ~tie};
    end else begin : plain
      assign whole = floor;
    end
  endgenerate
  wire [OUT-1:0] low_part = whole[OUT-1:0];
  wire outside, under, over;
  generate
    if (LOW < 0) begin : signed_result
      // the bits above the result are not all like its sign
      assign outside = ~(&whole[WHOLE-1:OUT-1]) & |whole[WHOLE-1:OUT-1];
      assign under = $signed(low_part) < $signed(LOWEST);
      assign over = $signed(low_part) > $signed(HIGHEST);
    end else begin : unsigned_result
      assign outside = |whole[WHOLE-1:OUT];
      assign under = low_part < LOWEST;
      assign over = low_part > HIGHEST;
    end
  endgenerate

  reg too_low, too_high;
  reg [OUT-1:0] held;
  always @(posedge aclk) begin
    held <= low_part;
    too_low <= CHECK_LOW != 0 && (outside ? whole[WHOLE-1] : under);
    too_high <= CHECK_HIGH != 0 && (outside ? ~whole[WHOLE-1] : over);
    out <= too_low ? LOWEST : too_high ? HIGHEST : held;
  end
endmodule
