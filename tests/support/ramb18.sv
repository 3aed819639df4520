// SPDX-License-Identifier: Apache-2.0
// RAMB18E1 as a ROM of true dual ports, 1 to 18 bits wide (UG473): what the
// project's netlists use of it.
module RAMB18E1 #(
    parameter RAM_MODE = "TDP",
    parameter integer READ_WIDTH_A = 0,
    parameter integer READ_WIDTH_B = 0,
    parameter integer WRITE_WIDTH_A = 0,
    parameter integer WRITE_WIDTH_B = 0,
    parameter integer DOA_REG = 0,
    parameter integer DOB_REG = 0,
PARAMETERS
) (
    input CLKARDCLK, CLKBWRCLK, ENARDEN, ENBWREN, REGCEAREGCE, REGCEB,
    input RSTRAMARSTRAM, RSTRAMB, RSTREGARSTREG, RSTREGB,
    input [13:0] ADDRARDADDR, ADDRBWRADDR,
    input [15:0] DIADI, DIBDI,
    input [1:0] DIPADIP, DIPBDIP, WEA,
    input [3:0] WEBWE,
    output [15:0] DOADO, DOBDO,
    output [1:0] DOPADOP, DOPBDOP
);
  wire [16383:0] data = {DATA};
  wire [2047:0] parity = {PARITY};
  function automatic [17:0] look(input [13:0] at, input integer width);
    case (width)
      18: look = {parity[{at[13:4], 1'b0}+:2], data[{at[13:4], 4'd0}+:16]};
      9: look = {1'b0, parity[at[13:3]], 8'd0, data[{at[13:3], 3'd0}+:8]};
      4: look = {14'd0, data[{at[13:2], 2'd0}+:4]};
      2: look = {16'd0, data[{at[13:1], 1'd0}+:2]};
      default: look = {17'd0, data[at]};
    endcase
  endfunction
  reg [17:0] a, b, a2, b2;
  always @(posedge CLKARDCLK) begin
    if (ENARDEN) a <= look(ADDRARDADDR, READ_WIDTH_A);
    if (REGCEAREGCE) a2 <= a;
  end
  always @(posedge CLKBWRCLK) begin
    if (ENBWREN) b <= look(ADDRBWRADDR, READ_WIDTH_B);
    if (REGCEB) b2 <= b;
  end
  assign {DOPADOP, DOADO} = DOA_REG != 0 ? a2 : a;
  assign {DOPBDOP, DOBDO} = DOB_REG != 0 ? b2 : b;
endmodule
