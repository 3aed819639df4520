// SPDX-License-Identifier: Apache-2.0
// A register that regroups a word of ELEMENTS numbers of BITS bits: bit p of every
// element goes to planes[p*ELEMENTS +: ELEMENTS].
//
// It consists of registers of up to 16 bits: CXXRTL writes the input of each as a
// single expression, and C++ compilers are very slow at long ones.
module qnnc_plane_register #(
    parameter integer ELEMENTS = 4,
    parameter integer BITS = 2
) (
    input  wire                     aclk,
    input  wire [ELEMENTS*BITS-1:0] elements,
    output wire [ELEMENTS*BITS-1:0] planes
);
  localparam integer GROUPS = (ELEMENTS + 15) / 16;
  genvar p, g;
  generate
    for (p = 0; p < BITS; p = p + 1) begin : plane
      for (g = 0; g < GROUPS; g = g + 1) begin : group
        localparam integer FIRST = 16 * g;
        localparam integer COUNT = ELEMENTS - FIRST < 16 ? ELEMENTS - FIRST : 16;
        reg [COUNT-1:0] q;
        integer i;
        always @(posedge aclk)
          for (i = 0; i < COUNT; i = i + 1) q[i] <= elements[(FIRST+i)*BITS+p];
        assign planes[p*ELEMENTS+FIRST+:COUNT] = q;
      end
    end
  endgenerate
endmodule
