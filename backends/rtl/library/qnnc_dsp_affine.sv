// SPDX-License-Identifier: Apache-2.0
// p = a * b + c modulo 2**P_BITS, all signed, in one DSP48E1 (A_BITS up to 18,
// B_BITS up to 25, C_BITS up to 48; three cycles) or in two (up to 25 and 35; four
// cycles). With two, the first multiplies by the low 17 bits of b, and the second
// adds the upper part of that to the product with the other bits. A WIDE c, of
// more than 48 bits, is added between them in logic (one more cycle).
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
  reg  [C_BITS-1:0] c_q;
  wire [47:0] low;
  always @(posedge aclk) c_q <= c;

  generate
    if (BLOCKS == 1) begin : one
      // not in the ports: Yosys refuses there a cast to the width that is there already
      wire [24:0] b_port = 25'($signed(b));
      wire [17:0] a_port = 18'($signed(a));
      wire [47:0] c_port = 48'($signed(c_q));
      qnnc_dsp block (
          .aclk(aclk),
          .a(b_port),
          .b(a_port),
          .c(c_port),
          .cascade(48'd0),
          .fresh(1'b0),
          .enable(1'b1),
          .p(low),
          .up()
      );
      assign p = P_BITS'($signed(low));
    end else begin : two
      wire [24:0] a_wide = 25'($signed(a));
      wire [34:0] b_wide = 35'($signed(b));
      wire [47:0] carried, high;
      wire [24:0] a_upper;
      wire [17:0] b_upper;
      wire [16:0] lowest;
      wire [47:0] c_port = WIDE != 0 ? {31'd0, c_q[16:0]} : 48'($signed(c_q));
      qnnc_dsp lower (
          .aclk(aclk),
          .a(a_wide),
          .b({1'b0, b_wide[16:0]}),
          .c(c_port),
          .cascade(48'd0),
          .fresh(1'b0),
          .enable(1'b1),
          .p(low),
          .up()
      );
      qnnc_delay #(
          .WIDTH(25 + 18),
          .CYCLES(WIDE != 0 ? 1 : 0)
      ) operand_delay (
          .aclk(aclk),
          .in({a_wide, b_wide[34:17]}),
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
        wire [46:0] c_top = 47'($signed(c_q[C_BITS-1:17]));
        wire [46:0] c_upper;
        reg  [46:0] together;
        qnnc_delay #(
            .WIDTH(47),
            .CYCLES(2)
        ) c_delay (
            .aclk(aclk),
            .in(c_top),
            .out(c_upper)
        );
        always @(posedge aclk) together <= 47'($signed(low[47:17])) + c_upper;
        assign carried = 48'($signed(together));
      end else begin : narrow
        assign carried = 48'($signed(low[47:17]));
      end
      qnnc_dsp #(
          .DELAY(1),
          .C_REGISTER(0)
      ) upper (
          .aclk(aclk),
          .a(a_upper),
          .b(b_upper),
          .c(carried),
          .cascade(48'd0),
          .fresh(1'b0),
          .enable(1'b1),
          .p(high),
          .up()
      );
      assign p = P_BITS'($signed({high, lowest}));
    end
  endgenerate
endmodule
