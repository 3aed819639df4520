// SPDX-License-Identifier: Apache-2.0
// A ROM of W bits in one RAMB18E1. With W = 36 both ports read, one half each.
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
  // A RAMB18E1 address counts bits: a word of 18 or 9 bits, of which 2 or 1 are
  // parity, takes 16 or 8 of them.
  localparam integer SHIFT = PORT == 18 ? 4 : PORT == 9 ? 3 : PORT == 4 ? 2 : PORT == 2 ? 1 : 0;
  wire [13:0] address_a = 14'(address) << SHIFT;
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
