// SPDX-License-Identifier: Apache-2.0
// a if b is 1 (for +1), -a if it is 0 (for -1); two cycles. The product has
// A_BITS + 1 bits, signed.
module qnnc_sign_product #(
    parameter integer A_BITS = 4,
    parameter integer A_SIGNED = 1,
    parameter integer B_BITS = 1,
    parameter integer B_SIGNED = 1
) (
    input  wire              aclk,
    input  wire [A_BITS-1:0] a,
    input  wire [B_BITS-1:0] b,
    output reg  [  A_BITS:0] p
);
  reg [A_BITS:0] a_q;
  reg negative;
  always @(posedge aclk) begin
    a_q <= {A_SIGNED != 0 ? a[A_BITS-1] : 1'b0, a};
    negative <= ~b[0];
    p <= negative ? ~a_q + 1'b1 : a_q;
  end
endmodule
