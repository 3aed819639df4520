// SPDX-License-Identifier: Apache-2.0
// Five numbers of -1, 0 and +1 from a code {b, a} of 3 and 5 bits. Let d0 to d4 be
// the numbers modulo 3. The last two have nine states: the first eight are b, and
// then a is 9 d0 + 3 d1 + d2 (0 to 26). In the ninth, where both are -1, a is 28 +
// d0 and b is the state of the middle two, or, for their ninth, a is 31 and b is
// d0. Few inputs decide each bit.
(* keep_hierarchy *)
module qnnc_five_trits (
    input  wire [7:0] code,
    output wire [9:0] trits
);
  wire [4:0] a = code[4:0];
  wire [2:0] b = code[7:5];
  wire escape = a[4] & a[3] & (a[2] | (a[1] & a[0]));
  wire all = &a;

  // a number from its digit: 2 stands for -1
  reg [5:0] of_a;  // numbers 2, 1 and 0 while nothing escapes; number 0 of an escape too
  always @*
    case (a)
      5'd0: of_a = 6'b00_00_00;
      5'd1: of_a = 6'b01_00_00;
      5'd2: of_a = 6'b11_00_00;
      5'd3: of_a = 6'b00_01_00;
      5'd4: of_a = 6'b01_01_00;
      5'd5: of_a = 6'b11_01_00;
      5'd6: of_a = 6'b00_11_00;
      5'd7: of_a = 6'b01_11_00;
      5'd8: of_a = 6'b11_11_00;
      5'd9: of_a = 6'b00_00_01;
      5'd10: of_a = 6'b01_00_01;
      5'd11: of_a = 6'b11_00_01;
      5'd12: of_a = 6'b00_01_01;
      5'd13: of_a = 6'b01_01_01;
      5'd14: of_a = 6'b11_01_01;
      5'd15: of_a = 6'b00_11_01;
      5'd16: of_a = 6'b01_11_01;
      5'd17: of_a = 6'b11_11_01;
      5'd18: of_a = 6'b00_00_11;
      5'd19: of_a = 6'b01_00_11;
      5'd20: of_a = 6'b11_00_11;
      5'd21: of_a = 6'b00_01_11;
      5'd22: of_a = 6'b01_01_11;
      5'd23: of_a = 6'b11_01_11;
      5'd24: of_a = 6'b00_11_11;
      5'd25: of_a = 6'b01_11_11;
      5'd26: of_a = 6'b11_11_11;
      5'd28: of_a = 6'b11_11_00;
      5'd29: of_a = 6'b11_11_01;
      5'd30: of_a = 6'b11_11_11;
      default: of_a = 6'bxx_xx_xx;
    endcase
  reg [3:0] of_b;  // two numbers of eight states, the first in the low bits
  always @*
    case (b)
      3'd0: of_b = 4'b00_00;
      3'd1: of_b = 4'b01_00;
      3'd2: of_b = 4'b11_00;
      3'd3: of_b = 4'b00_01;
      3'd4: of_b = 4'b01_01;
      3'd5: of_b = 4'b11_01;
      3'd6: of_b = 4'b00_11;
      default: of_b = 4'b01_11;
    endcase
  assign trits[1:0] = all ? {b[1], |b[1:0]} : of_a[1:0];
  assign trits[5:2] = ~escape ? of_a[5:2] : of_b | {4{all}};
  assign trits[9:6] = of_b | {4{escape}};
endmodule
