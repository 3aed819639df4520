// SPDX-License-Identifier: Apache-2.0
// COUNT products of ternary numbers side by side, each plus one: one + 2*two is 0,
// 1 or 2. Each takes one LUT. Bit 0 of a ternary number says that it is not zero,
// bit 1 that it is -1.
module qnnc_ternary_product #(
    parameter integer COUNT = 1
) (
    input  wire [COUNT-1:0] x_0,
    input  wire [COUNT-1:0] x_1,
    input  wire [COUNT-1:0] w_0,
    input  wire [COUNT-1:0] w_1,
    output wire [COUNT-1:0] one,
    output wire [COUNT-1:0] two
);
`ifdef QNNC_XILINX_LUT
  genvar i;
  generate
    for (i = 0; i < COUNT; i = i + 1) begin : product
      LUT6_2 #(
          .INIT(64'h8008800877777777)
      ) lut (
          .I0(x_0[i]),
          .I1(w_0[i]),
          .I2(x_1[i]),
          .I3(w_1[i]),
          .I4(1'b0),
          .I5(1'b1),
          .O6(two[i]),
          .O5(one[i])
      );
    end
  endgenerate
`else
  assign one = ~(x_0 & w_0);
  assign two = x_0 & w_0 & ~(x_1 ^ w_1);
`endif
endmodule
