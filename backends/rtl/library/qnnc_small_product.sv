// SPDX-License-Identifier: Apache-2.0
// One product in LUTs, two cycles: operand registers, product register. The
// product has A_BITS + B_BITS bits, signed if either operand is.
module qnnc_small_product #(
    parameter integer A_BITS = 4,
    parameter integer A_SIGNED = 1,
    parameter integer B_BITS = 4,
    parameter integer B_SIGNED = 1
) (
    input  wire                     aclk,
    input  wire [       A_BITS-1:0] a,
    input  wire [       B_BITS-1:0] b,
    output wire [A_BITS+B_BITS-1:0] p
);
  // One more bit makes an unsigned operand a non-negative signed one.
  wire signed [A_BITS:0] a_in = {A_SIGNED != 0 ? a[A_BITS-1] : 1'b0, a};
  wire signed [B_BITS:0] b_in = {B_SIGNED != 0 ? b[B_BITS-1] : 1'b0, b};
  reg signed [A_BITS:0] a_q;
  reg signed [B_BITS:0] b_q;
  (* use_dsp = "no" *) reg signed [A_BITS+B_BITS+1:0] product;
  always @(posedge aclk) begin
    a_q <= a_in;
    b_q <= b_in;
    product <= a_q * b_q;
  end
  assign p = (A_BITS + B_BITS)'(product);
endmodule
