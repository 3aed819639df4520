// SPDX-License-Identifier: Apache-2.0
// A register for weights that lanes share DSP blocks by: FIELDS lanes of SIMD weights
// of BITS bits become digits of DIGIT bits. A negative digit takes one from the same
// element's digit of the lane above, so that they can lie side by side in a port.
module qnnc_matrix_digits #(
    parameter integer FIELDS = 2,
    parameter integer SIMD = 2,
    parameter integer BITS = 8,
    parameter integer DIGIT = 9,
    parameter integer SIGNED = 1
) (
    input  wire                         aclk,
    input  wire [ FIELDS*SIMD*BITS-1:0] elements,
    output reg  [FIELDS*SIMD*DIGIT-1:0] digits
);
  genvar f, s;
  generate
    for (f = 0; f < FIELDS; f = f + 1) begin : lane
      for (s = 0; s < SIMD; s = s + 1) begin : element
        wire [BITS-1:0] given = elements[(f*SIMD+s)*BITS+:BITS];
        wire [DIGIT-1:0] wide, digit;
        always @(posedge aclk) digits[(f*SIMD+s)*DIGIT+:DIGIT] <= digit;
        if (DIGIT > BITS) begin : extended
          assign wide = {{DIGIT - BITS{SIGNED != 0 & given[BITS-1]}}, given};
        end else begin : same
          assign wide = given;
        end
        if (SIGNED != 0 && f > 0) begin : borrows
          assign digit = wide - DIGIT'(lane[f-1].element[s].digit[DIGIT-1]);
        end else begin : plain
          assign digit = wide;
        end
      end
    end
  endgenerate
endmodule
