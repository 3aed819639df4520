// SPDX-License-Identifier: Apache-2.0
// A multiplier and adder in one DSP48E1: p = a * b + addend.
//
// Operands are registered once, or twice with DELAY = 1, and the product once.
// p is registered if REGISTERED = 1. ADDEND says what is added to the product:
//   0  c, registered once
//   1  cascade, which is `up` of the DSP below
//   2  p itself, or START when `fresh`; p keeps its value unless `enable`
module qnnc_dsp #(
    parameter integer A_BITS = 25,
    parameter integer A_SIGNED = 1,
    parameter integer B_BITS = 18,
    parameter integer B_SIGNED = 1,
    parameter integer DELAY = 0,
    parameter integer REGISTERED = 1,
    parameter integer ADDEND = 0,
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
  wire [29:0] a_in = {{30 - A_BITS{A_SIGNED != 0 ? a[A_BITS-1] : 1'b0}}, a};
  wire [18:0] b_in = {{19 - B_BITS{B_SIGNED != 0 ? b[B_BITS-1] : 1'b0}}, b};
  DSP48E1 #(
      .AREG(1 + DELAY),
      .BREG(1 + DELAY),
      .CREG(ADDEND == 0),
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
      .A(a_in),
      .B(b_in[17:0]),
      .C(ADDEND == 0 ? c : START),
      .D(25'd0),
      .PCIN(ADDEND == 1 ? cascade : 48'd0),
      .P(p),
      .PCOUT(up),
      .ALUMODE(4'b0000),
      .INMODE(5'b00000),
      // the product goes through X and Y; Z is C (011), PCIN (001) or P (010)
      .OPMODE({ADDEND == 0 ? 3'b011 : ADDEND == 1 ? 3'b001 : {2'b01, fresh}, 4'b0101}),
      .CARRYIN(1'b0),
      .CARRYINSEL(3'b000),
      .CEA1(DELAY != 0),
      .CEA2(1'b1),
      .CEB1(DELAY != 0),
      .CEB2(1'b1),
      .CEM(1'b1),
      .CEAD(1'b0),
      .CEALUMODE(1'b0),
      .CEC(ADDEND == 0),
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
  reg signed [A_BITS+B_BITS:0] product;
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
  wire [47:0] sum = {{47 - A_BITS - B_BITS{product[A_BITS+B_BITS]}}, product} + addend;
  assign up = p;
  generate
    if (ADDEND == 0) begin : from_c
      reg [47:0] c_q;
      always @(posedge aclk) c_q <= c;
      assign addend = c_q;
    end else if (ADDEND == 1) begin : from_below
      assign addend = cascade;
    end else begin : from_p
      assign addend = fresh ? START : p;
    end
    if (REGISTERED != 0) begin : registered
      reg [47:0] p_q;
      always @(posedge aclk) if (ADDEND != 2 || enable) p_q <= sum;
      assign p = p_q;
    end else begin : combinational
      assign p = sum;
    end
  endgenerate
`endif
endmodule
