// SPDX-License-Identifier: Apache-2.0
// A multiplier and adder in one DSP48E1: p = a * b + addend. Every DSP48E1 of the
// library is this one.
//
// Operands are registered once, or twice with DELAY = 1, and the product once.
// The sum is registered if REGISTERED = 1. ADDEND says what is added:
//   0  c, registered if C_REGISTER = 1
//   1  cascade, which is `up` of the DSP48E1 below
//   2  p itself, or START when `fresh`; p keeps its value unless `enable`
//   3  nothing
module qnnc_dsp #(
    parameter integer A_BITS = 25,
    parameter integer A_SIGNED = 1,
    parameter integer B_BITS = 18,
    parameter integer B_SIGNED = 1,
    parameter integer DELAY = 0,
    parameter integer REGISTERED = 1,
    parameter integer ADDEND = 0,
    parameter integer C_REGISTER = 1,
    parameter [47:0] START = 48'd0
) (
    input  wire              aclk,
    input  wire [A_BITS-1:0] a,
    input  wire [B_BITS-1:0] b,
    input  wire [      47:0] c,
    input  wire [      47:0] cascade,
    input  wire              fresh,
    input  wire              enable,
    output wire [      47:0] p,
    output wire [      47:0] up
);
`ifdef QNNC_XILINX_DSP
  // What goes into the adder's Z input: C (011), PCIN (001), P (010) or nothing.
  wire [2:0] z = ADDEND == 0 ? 3'b011 : ADDEND == 1 ? 3'b001 : ADDEND == 2 ? {2'b01, fresh} : 3'b000;
  localparam integer C_USED = ADDEND == 0 ? C_REGISTER : 0;
  // One more bit makes an unsigned operand a non-negative signed one.
  wire signed [A_BITS:0] a_in = {A_SIGNED != 0 ? a[A_BITS-1] : 1'b0, a};
  wire signed [B_BITS:0] b_in = {B_SIGNED != 0 ? b[B_BITS-1] : 1'b0, b};
  DSP48E1 #(
      .AREG(1 + DELAY),
      .BREG(1 + DELAY),
      .CREG(C_USED),
      .DREG(0),
      .ADREG(0),
      .MREG(1),
      .PREG(REGISTERED),
      .ACASCREG(1 + DELAY),
      .BCASCREG(1 + DELAY),
      .ALUMODEREG(0),
      .CARRYINREG(0),
      .CARRYINSELREG(0),
      .INMODEREG(0),
      .OPMODEREG(0),
      .USE_DPORT("FALSE"),
      .USE_MULT("MULTIPLY")
  ) dsp (
      .CLK(aclk),
      .A(30'(a_in)),
      .B(18'(b_in)),
      .C(ADDEND == 0 ? c : ADDEND == 3 ? 48'd0 : START),
      .D(25'd0),
      .PCIN(ADDEND == 1 ? cascade : 48'd0),
      .P(p),
      .PCOUT(up),
      .ALUMODE(4'b0000),
      .INMODE(5'b00000),
      // the product goes through X and Y
      .OPMODE({z, 4'b0101}),
      .CARRYIN(1'b0),
      .CARRYINSEL(3'b000),
      .CEA1(DELAY != 0),
      .CEA2(1'b1),
      .CEB1(DELAY != 0),
      .CEB2(1'b1),
      .CEM(1'b1),
      .CEAD(1'b0),
      .CEALUMODE(1'b0),
      .CEC(C_USED != 0),
      .CECARRYIN(1'b0),
      .CECTRL(1'b0),
      .CED(1'b0),
      .CEINMODE(1'b0),
      .CEP(REGISTERED == 0 ? 1'b0 : ADDEND == 2 ? enable : 1'b1),
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
  reg signed [A_BITS:0] a_q;
  reg signed [B_BITS:0] b_q;
  (* use_dsp = "yes" *) reg signed [A_BITS+B_BITS:0] product;
  generate
    if (DELAY != 0) begin : delay
      reg [A_BITS-1:0] a_1;
      reg [B_BITS-1:0] b_1;
      always @(posedge aclk) begin
        a_1 <= a;
        b_1 <= b;
        a_q <= {A_SIGNED != 0 ? a_1[A_BITS-1] : 1'b0, a_1};
        b_q <= {B_SIGNED != 0 ? b_1[B_BITS-1] : 1'b0, b_1};
      end
    end else begin : direct
      always @(posedge aclk) begin
        a_q <= {A_SIGNED != 0 ? a[A_BITS-1] : 1'b0, a};
        b_q <= {B_SIGNED != 0 ? b[B_BITS-1] : 1'b0, b};
      end
    end
  endgenerate
  always @(posedge aclk) product <= a_q * b_q;

  wire [47:0] addend;
  wire [47:0] sum = 48'(product) + addend;
  assign up = p;
  generate
    if (ADDEND == 0) begin : from_c
      qnnc_delay #(
          .WIDTH(48),
          .CYCLES(C_REGISTER)
      ) c_register (
          .aclk(aclk),
          .in(c),
          .out(addend)
      );
    end else if (ADDEND == 1) begin : from_below
      assign addend = cascade;
    end else if (ADDEND == 2) begin : from_p
      assign addend = fresh ? START : p;
    end else begin : from_nothing
      assign addend = 48'd0;
    end
    if (REGISTERED != 0) begin : registered
      (* use_dsp = "yes" *) reg [47:0] p_q;
      always @(posedge aclk) if (ADDEND != 2 || enable) p_q <= sum;
      assign p = p_q;
    end else begin : combinational
      assign p = sum;
    end
  endgenerate
`endif
endmodule
