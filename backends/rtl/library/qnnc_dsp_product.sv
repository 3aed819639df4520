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
`ifdef QNNC_XILINX_DSP
  wire [29:0] a_in = {{30 - A_BITS{A_SIGNED != 0 ? a[A_BITS-1] : 1'b0}}, a};
  wire [17:0] b_in = {{18 - B_BITS{B_SIGNED != 0 ? b[B_BITS-1] : 1'b0}}, b};
  wire [47:0] p_out;
  assign p = p_out[A_BITS+B_BITS-1:0];
  DSP48E1 #(
      .AREG(1),
      .BREG(1),
      .CREG(0),
      .DREG(0),
      .ADREG(0),
      .MREG(1),
      .PREG(0),
      .ACASCREG(1),
      .BCASCREG(1),
      .ALUMODEREG(0),
      .CARRYINREG(0),
      .CARRYINSELREG(0),
      .INMODEREG(0),
      .OPMODEREG(0),
      .USE_DPORT("FALSE"),
      .USE_MULT("MULTIPLY")
  ) dsp (
      .CLK(aclk),
      .A(a_in),
      .B(b_in),
      .C(48'd0),
      .D(25'd0),
      .P(p_out),
      .ALUMODE(4'b0000),
      .INMODE(5'b00000),
      .OPMODE(7'b0000101),
      .CARRYIN(1'b0),
      .CARRYINSEL(3'b000),
      .CEA1(1'b0),
      .CEA2(1'b1),
      .CEB1(1'b0),
      .CEB2(1'b1),
      .CEM(1'b1),
      .CEAD(1'b0),
      .CEALUMODE(1'b0),
      .CEC(1'b0),
      .CECARRYIN(1'b0),
      .CECTRL(1'b0),
      .CED(1'b0),
      .CEINMODE(1'b0),
      .CEP(1'b0),
      .RSTA(1'b0),
      .RSTALLCARRYIN(1'b0),
      .RSTALUMODE(1'b0),
      .RSTB(1'b0),
      .RSTC(1'b0),
      .RSTCTRL(1'b0),
      .RSTD(1'b0),
      .RSTINMODE(1'b0),
      .RSTM(1'b0),
      .RSTP(1'b0)
  );
`else
  // One more bit makes an unsigned operand a non-negative signed one.
  wire signed [A_BITS:0] a_in = {A_SIGNED != 0 ? a[A_BITS-1] : 1'b0, a};
  wire signed [B_BITS:0] b_in = {B_SIGNED != 0 ? b[B_BITS-1] : 1'b0, b};
  reg signed [A_BITS:0] a_q;
  reg signed [B_BITS:0] b_q;
  (* use_dsp = "yes" *) reg signed [A_BITS+B_BITS+1:0] product;
  always @(posedge aclk) begin
    a_q <= a_in;
    b_q <= b_in;
    product <= a_q * b_q;
  end
  assign p = product[A_BITS+B_BITS-1:0];
`endif
endmodule
