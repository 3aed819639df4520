// SPDX-License-Identifier: Apache-2.0
// One product in a DSP48E1, two cycles: operand registers, product register.
// The product has A_BITS + B_BITS bits, signed if either operand is.
module qnnc_dsp_product #(
    parameter integer A_BITS = 8,
    parameter integer A_SIGNED = 1,
    parameter integer B_BITS = 8,
    parameter integer B_SIGNED = 1
) (
    input  wire                     aclk,
    input  wire [       A_BITS-1:0] a,
    input  wire [       B_BITS-1:0] b,
    output wire [A_BITS+B_BITS-1:0] p
);
  wire [47:0] product;
  assign p = product[A_BITS+B_BITS-1:0];
  qnnc_dsp #(
      .A_BITS(A_BITS),
      .A_SIGNED(A_SIGNED),
      .B_BITS(B_BITS),
      .B_SIGNED(B_SIGNED),
      .REGISTERED(0),
      .ADDEND(3)
  ) dsp (
      .aclk(aclk),
      .a(a),
      .b(b),
      .c(48'd0),
      .cascade(48'd0),
      .fresh(1'b0),
      .enable(1'b1),
      .p(product),
      .up()
  );
endmodule
