// SPDX-License-Identifier: Apache-2.0
// The whole part of a fixed-point number (two's complement, WIDTH bits, SHIFT of
// them behind the point), rounded down and held within LOW..HIGH; two cycles.
// EVEN rounds exact whole numbers that are odd down by one: with half of one
// added before, ties go to even. The result has OUT bits, signed if LOW is
// negative. A range that the number cannot leave at one end is told by
// CHECK_LOW or CHECK_HIGH being 0.
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
  // one more bit at the top, so that there is always a sign above the result
  localparam integer WHOLE = (WIDTH - SHIFT > OUT ? WIDTH - SHIFT : OUT) + 1;
  localparam integer SIGNED = LOW < 0;
  localparam [OUT-1:0] LOWEST = LOW[OUT-1:0];
  localparam [OUT-1:0] HIGHEST = HIGH[OUT-1:0];
  wire [WIDTH+OUT:0] extended = {{OUT + 1{in[WIDTH-1]}}, in};
  wire [WHOLE-1:0] floor = extended[SHIFT+:WHOLE];
  wire [WHOLE-1:0] whole;
  generate
    if (EVEN != 0 && SHIFT > 0) begin : ties
      wire tie = ~(|in[SHIFT-1:0]);
      assign whole = {floor[WHOLE-1:1], floor[0] & ~tie};
    end else begin : plain
      assign whole = floor;
    end
  endgenerate
  // bits above the result must equal its sign, or 0
  wire [WHOLE-OUT:0] above = {whole[WHOLE-1:OUT], SIGNED != 0 ? whole[OUT-1] : 1'b0};
  wire outside = SIGNED != 0 ? ~((&above) | ~(|above)) : |above;
  wire [OUT-1:0] low_part = whole[OUT-1:0];
  wire under = SIGNED != 0 ? $signed(low_part) < $signed(LOWEST) : low_part < LOWEST;
  wire over = SIGNED != 0 ? $signed(low_part) > $signed(HIGHEST) : low_part > HIGHEST;

  reg too_low, too_high;
  reg [OUT-1:0] held;
  always @(posedge aclk) begin
    held <= low_part;
    too_low <= CHECK_LOW != 0 && (outside ? whole[WHOLE-1] : under);
    too_high <= CHECK_HIGH != 0 && (outside ? ~whole[WHOLE-1] : over);
    out <= too_low ? LOWEST : too_high ? HIGHEST : held;
  end
endmodule
