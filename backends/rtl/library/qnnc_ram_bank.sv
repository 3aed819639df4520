// SPDX-License-Identifier: Apache-2.0
// A bank: one column of block RAM, as wide as it takes.
module qnnc_ram_bank #(
    parameter integer WIDTH = 8,
    parameter integer WORDS = 512,
    parameter integer ABITS = 9
) (
    input  wire             aclk,
    input  wire             write,
    input  wire [ABITS-1:0] write_address,
    input  wire [WIDTH-1:0] write_data,
    input  wire             read,
    input  wire [ABITS-1:0] read_address,
    output reg  [WIDTH-1:0] read_data
);
  (* ram_style = "block" *) reg [WIDTH-1:0] mem[0:WORDS-1];
  always @(posedge aclk) begin
    if (write) mem[write_address] <= write_data;
    if (read) read_data <= mem[read_address];
  end
endmodule
