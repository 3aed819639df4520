// SPDX-License-Identifier: Apache-2.0
// sum = a + b + c, modulo 2**WIDTH. Operands are zero from bit USED on.
//
// One LUT per used bit and one carry chain: each LUT passes the majority of its
// three bits to the next position, where it is added to the parity of that one's.
module qnnc_add3 #(
    parameter integer WIDTH = 8,
    parameter integer USED = WIDTH
) (
    input  wire [WIDTH-1:0] a,
    input  wire [WIDTH-1:0] b,
    input  wire [WIDTH-1:0] c,
    output wire [WIDTH-1:0] sum
);
`ifdef QNNC_XILINX_LUT
  wire [WIDTH-1:0] s;
  wire [WIDTH:0] two;
  assign two[0] = 1'b0;
  genvar i;
  generate
    for (i = 0; i < WIDTH; i = i + 1) begin : place
      if (i < USED) begin : used
        // O6: parity of all four; O5: majority of the first three
        LUT6_2 #(
            .INIT(64'h69966996E8E8E8E8)
        ) lut (
            .I0(a[i]),
            .I1(b[i]),
            .I2(c[i]),
            .I3(two[i]),
            .I4(1'b0),
            .I5(1'b1),
            .O6(s[i]),
            .O5(two[i+1])
        );
      end else begin : above
        assign s[i] = two[i];
        assign two[i+1] = 1'b0;
      end
    end
  endgenerate
  qnnc_carry #(
      .WIDTH(WIDTH)
  ) chain (
      .carry_in(1'b0),
      .s(s),
      .di(two[WIDTH-1:0]),
      .sum(sum),
      .carry_out()
  );
`else
  assign sum = a + b + c;
`endif
endmodule
