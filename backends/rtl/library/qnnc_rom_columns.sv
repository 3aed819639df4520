// SPDX-License-Identifier: Apache-2.0
// A block ROM as columns of RAMB18E1, for synthesis without memory inference.
// Up to 512 words a column is 36 bits wide: both ports of a 1024x18 block read
// one half each. Up to 1,024 words it is 18 bits wide, up to 2,048 words 9
// bits, then 4, 2 and 1. Bit b of the word lies in column b / W at bit b % W.
// Contents stay zero here and are patched into the netlist by column.
module qnnc_rom_columns #(
    parameter integer WIDTH = 18,
    parameter integer DEPTH = 1024,
    parameter integer ABITS = 10,
    parameter integer OUTPUT_REGISTER = 0
) (
    input  wire             aclk,
    input  wire [ABITS-1:0] address,
    output wire [WIDTH-1:0] data
);
  localparam integer W =
      DEPTH <= 512 ? 36 : DEPTH <= 1024 ? 18 : DEPTH <= 2048 ? 9 :
      DEPTH <= 4096 ? 4 : DEPTH <= 8192 ? 2 : 1;
  localparam integer COLUMNS = (WIDTH + W - 1) / W;
  wire [COLUMNS*W-1:0] all;
  assign data = all[WIDTH-1:0];

  genvar i;
  generate
    for (i = 0; i < COLUMNS; i = i + 1) begin : column
      qnnc_ramb18_rom #(
          .W(W),
          .ABITS(ABITS),
          .OUTPUT_REGISTER(OUTPUT_REGISTER)
      ) ram (
          .aclk(aclk),
          .address(address),
          .data(all[i*W+:W])
      );
    end
  endgenerate
endmodule

(* keep_hierarchy *)
module qnnc_ramb18_rom #(
    parameter integer W = 18,
    parameter integer ABITS = 10,
    parameter integer OUTPUT_REGISTER = 0
) (
    input  wire             aclk,
    input  wire [ABITS-1:0] address,
    output wire [W-1:0]     data
);
  localparam integer PORT = W == 36 ? 18 : W;
  // A RAMB18E1 address counts single bits: a word of 18 or 9 bits (parity
  // included) takes 16 or 8 of them.
  localparam integer SHIFT = PORT == 18 ? 4 : PORT == 9 ? 3 : PORT == 4 ? 2 : PORT == 2 ? 1 : 0;
  wire [ABITS+13:0] padded = {14'd0, address};
  wire [13:0] address_a = padded[13:0] << SHIFT;
  wire [13:0] address_b = W == 36 ? (address_a | 14'h2000) : 14'd0;
  wire [15:0] low_a, low_b;
  wire [1:0] parity_a, parity_b;

  generate
    if (W == 36) begin : two_ports
      assign data = {parity_b, low_b, parity_a, low_a};
    end else if (W == 18) begin : words_18
      assign data = {parity_a, low_a};
    end else if (W == 9) begin : words_9
      assign data = {parity_a[0], low_a[7:0]};
    end else begin : narrow
      assign data = low_a[W-1:0];
    end
  endgenerate

  RAMB18E1 #(
      .RAM_MODE("TDP"),
      .READ_WIDTH_A(PORT),
      .READ_WIDTH_B(W == 36 ? 18 : 0),
      .WRITE_WIDTH_A(PORT),
      .WRITE_WIDTH_B(W == 36 ? 18 : 0),
      .DOA_REG(OUTPUT_REGISTER),
      .DOB_REG(OUTPUT_REGISTER)
  ) ram (
      .CLKARDCLK(aclk),
      .CLKBWRCLK(aclk),
      .ADDRARDADDR(address_a),
      .ADDRBWRADDR(address_b),
      .ENARDEN(1'b1),
      .ENBWREN(W == 36),
      .REGCEAREGCE(1'b1),
      .REGCEB(1'b1),
      .RSTRAMARSTRAM(1'b0),
      .RSTRAMB(1'b0),
      .RSTREGARSTREG(1'b0),
      .RSTREGB(1'b0),
      .WEA(2'b00),
      .WEBWE(4'b0000),
      .DIADI(16'd0),
      .DIBDI(16'd0),
      .DIPADIP(2'd0),
      .DIPBDIP(2'd0),
      .DOADO(low_a),
      .DOBDO(low_b),
      .DOPADOP(parity_a),
      .DOPBDOP(parity_b)
  );
endmodule
