// SPDX-License-Identifier: Apache-2.0
// A memory of W bits in one RAMB18E1: port A reads, port B writes.
(* keep_hierarchy *)
module qnnc_ramb18_dual #(
    parameter integer W = 18,
    parameter integer ABITS = 10,
    parameter integer OUTPUT_REGISTER = 0
) (
    input  wire             aclk,
    input  wire             write,
    input  wire [ABITS-1:0] write_address,
    input  wire [    W-1:0] write_data,
    input  wire             read,
    input  wire [ABITS-1:0] read_address,
    output wire [    W-1:0] read_data
);
  // A RAMB18E1 address counts bits, without those of parity.
  localparam integer SHIFT = W == 18 ? 4 : W == 9 ? 3 : W == 4 ? 2 : W == 2 ? 1 : 0;
  wire [13:0] address_a = 14'(read_address) << SHIFT;
  wire [13:0] address_b = 14'(write_address) << SHIFT;
  wire [15:0] low_out, low_in;
  wire [1:0] parity_out, parity_in;
  generate
    if (W == 18) begin : words_18
      assign read_data = {parity_out, low_out};
      assign {parity_in, low_in} = write_data;
    end else if (W == 9) begin : words_9
      assign read_data = {parity_out[0], low_out[7:0]};
      assign low_in = {8'd0, write_data[7:0]};
      assign parity_in = {1'b0, write_data[8]};
    end else begin : narrow
      assign read_data = low_out[W-1:0];
      assign low_in = {{16 - W{1'b0}}, write_data};
      assign parity_in = 2'd0;
    end
  endgenerate

  RAMB18E1 #(
      .RAM_MODE("TDP"),
      .READ_WIDTH_A(W),
      .READ_WIDTH_B(W),
      .WRITE_WIDTH_A(W),
      .WRITE_WIDTH_B(W),
      .DOA_REG(OUTPUT_REGISTER),
      .DOB_REG(0)
  ) ram (
      .CLKARDCLK(aclk),
      .CLKBWRCLK(aclk),
      .ADDRARDADDR(address_a),
      .ADDRBWRADDR(address_b),
      .ENARDEN(read),
      .ENBWREN(write),
      .REGCEAREGCE(1'b1),
      .REGCEB(1'b0),
      .RSTRAMARSTRAM(1'b0),
      .RSTRAMB(1'b0),
      .RSTREGARSTREG(1'b0),
      .RSTREGB(1'b0),
      .WEA(2'b00),
      .WEBWE(4'b1111),
      .DIADI(16'd0),
      .DIBDI(low_in),
      .DIPADIP(2'd0),
      .DIPBDIP(parity_in),
      .DOADO(low_out),
      .DOBDO(),
      .DOPADOP(parity_out),
      .DOPBDOP()
  );
endmodule
