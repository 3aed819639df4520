// SPDX-License-Identifier: Apache-2.0
// A block ROM as columns of RAMB18E1, for synthesis without memory inference. Up
// to 512 words per column is 36 bits wide: each port of a 1024x18 block reads one
// half. Up to 1,024 words it is 18 bits wide, up to 2,048 words 9 bits, then 4, 2
// and 1. Bit b of the word lies in column b / W at bit b % W. Contents stay zero
// here and are patched into the netlist column by column.
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
