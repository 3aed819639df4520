// SPDX-License-Identifier: Apache-2.0
// p = a * b + c modulo 2**P_BITS, all signed, in one DSP48E1 (A_BITS up to 18,
// B_BITS up to 25, C_BITS up to 48; three cycles) or in two (up to 25 and 35; four
// cycles): the low 17 bits of b make a product that the second block takes, 17
// places down, with that of the rest. A WIDE c, of more than 48 bits, is added in
// between in logic (one more cycle).
module qnnc_dsp_affine #(
    parameter integer A_BITS = 8,
    parameter integer B_BITS = 8,
    parameter integer C_BITS = 8,
    parameter integer P_BITS = 17,
    parameter integer BLOCKS = 1,
    parameter integer WIDE = 0
) (
    input  wire              aclk,
    input  wire [A_BITS-1:0] a,
    input  wire [B_BITS-1:0] b,
    input  wire [C_BITS-1:0] c,
    output wire [P_BITS-1:0] p
);
  wire [A_BITS+24:0] a_wide = {{25{a[A_BITS-1]}}, a};
  wire [B_BITS+34:0] b_wide = {{35{b[B_BITS-1]}}, b};
  reg  [C_BITS-1:0] c_q;
  wire [C_BITS+63:0] c_wide = {{64{c_q[C_BITS-1]}}, c_q};
  wire [47:0] low;
  always @(posedge aclk) c_q <= c;

  generate
    if (BLOCKS == 1) begin : one
      qnnc_dsp_multiply_add #(
          .OPERAND_REGISTERS(1),
          .C_REGISTER(1)
      ) block (
          .aclk(aclk),
          .a(b_wide[24:0]),
          .b(a_wide[17:0]),
          .c(c_wide[47:0]),
          .p(low)
      );
      wire [P_BITS+47:0] all = {{P_BITS{low[47]}}, low};
      assign p = all[P_BITS-1:0];
    end else begin : two
      wire [47:0] carried, high;
      wire [24:0] a_upper;
      wire [17:0] b_upper;
      wire [16:0] lowest;
      qnnc_dsp_multiply_add #(
          .OPERAND_REGISTERS(1),
          .C_REGISTER(1)
      ) lower (
          .aclk(aclk),
          .a(a_wide[24:0]),
          .b({1'b0, b_wide[16:0]}),
          .c(WIDE != 0 ? {31'd0, c_wide[16:0]} : c_wide[47:0]),
          .p(low)
      );
      qnnc_delay #(
          .WIDTH(25 + 18),
          .CYCLES(WIDE != 0 ? 1 : 0)
      ) operand_delay (
          .aclk(aclk),
          .in({a_wide[24:0], b_wide[34:17]}),
          .out({a_upper, b_upper})
      );
      qnnc_delay #(
          .WIDTH(17),
          .CYCLES(WIDE != 0 ? 2 : 1)
      ) lowest_delay (
          .aclk(aclk),
          .in(low[16:0]),
          .out(lowest)
      );
      if (WIDE != 0) begin : wide
        wire [46:0] c_upper;
        reg  [46:0] together;
        qnnc_delay #(
            .WIDTH(47),
            .CYCLES(2)
        ) c_delay (
            .aclk(aclk),
            .in(c_wide[63:17]),
            .out(c_upper)
        );
        always @(posedge aclk) together <= {{16{low[47]}}, low[47:17]} + c_upper;
        assign carried = {together[46], together};
      end else begin : narrow
        assign carried = {{17{low[47]}}, low[47:17]};
      end
      qnnc_dsp_multiply_add #(
          .OPERAND_REGISTERS(2),
          .C_REGISTER(0)
      ) upper (
          .aclk(aclk),
          .a(a_upper),
          .b(b_upper),
          .c(carried),
          .p(high)
      );
      wire [P_BITS+64:0] all = {{P_BITS{high[47]}}, high, lowest};
      assign p = all[P_BITS-1:0];
    end
  endgenerate
endmodule

// p = a * b + c: OPERAND_REGISTERS (1 or 2) registers behind a and b, one behind
// the product, C_REGISTER (0 or 1) behind c, one behind the sum.
(* keep_hierarchy *)
module qnnc_dsp_multiply_add #(
    parameter integer OPERAND_REGISTERS = 1,
    parameter integer C_REGISTER = 1
) (
    input  wire        aclk,
    input  wire [24:0] a,
    input  wire [17:0] b,
    input  wire [47:0] c,
    output wire [47:0] p
);
`ifdef QNNC_XILINX_DSP
  DSP48E1 #(
      .AREG(OPERAND_REGISTERS),
      .BREG(OPERAND_REGISTERS),
      .ACASCREG(1),
      .BCASCREG(1),
      .CREG(C_REGISTER),
      .DREG(0),
      .ADREG(0),
      .MREG(1),
      .PREG(1),
      .ALUMODEREG(0),
      .CARRYINREG(0),
      .CARRYINSELREG(0),
      .INMODEREG(0),
      .OPMODEREG(0),
      .USE_DPORT("FALSE"),
      .USE_MULT("MULTIPLY")
  ) dsp (
      .CLK(aclk),
      .A({{5{a[24]}}, a}),
      .B(b),
      .C(c),
      .D(25'd0),
      .P(p),
      .ALUMODE(4'b0000),
      .INMODE(5'b00000),
      .OPMODE(7'b0110101),
      .CARRYIN(1'b0),
      .CARRYINSEL(3'b000),
      .CEA1(OPERAND_REGISTERS == 2),
      .CEA2(1'b1),
      .CEB1(OPERAND_REGISTERS == 2),
      .CEB2(1'b1),
      .CEM(1'b1),
      .CEP(1'b1),
      .CEC(C_REGISTER == 1),
      .CEAD(1'b0),
      .CEALUMODE(1'b0),
      .CECARRYIN(1'b0),
      .CECTRL(1'b0),
      .CED(1'b0),
      .CEINMODE(1'b0),
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
  wire [24:0] a_q;
  wire [17:0] b_q;
  wire [47:0] c_q;
  qnnc_delay #(
      .WIDTH(25),
      .CYCLES(OPERAND_REGISTERS)
  ) a_registers (
      .aclk(aclk),
      .in(a),
      .out(a_q)
  );
  qnnc_delay #(
      .WIDTH(18),
      .CYCLES(OPERAND_REGISTERS)
  ) b_registers (
      .aclk(aclk),
      .in(b),
      .out(b_q)
  );
  qnnc_delay #(
      .WIDTH(48),
      .CYCLES(C_REGISTER)
  ) c_registers (
      .aclk(aclk),
      .in(c),
      .out(c_q)
  );
  (* use_dsp = "yes" *) reg signed [42:0] product;
  (* use_dsp = "yes" *) reg signed [47:0] total;
  always @(posedge aclk) begin
    product <= $signed(a_q) * $signed(b_q);
    total   <= product + $signed(c_q);
  end
  assign p = total;
`endif
endmodule
