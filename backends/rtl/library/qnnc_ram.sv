// SPDX-License-Identifier: Apache-2.0
// Memory with one write port and one read port; a read returns what was written
// in earlier cycles. The registered output holds while `read` is low.
module qnnc_ram #(
    parameter integer WIDTH = 8,
    parameter integer DEPTH = 32,
    parameter integer ABITS = 5,
    parameter integer BLOCK = 0
) (
    input  wire             aclk,
    input  wire             write,
    input  wire [ABITS-1:0] write_address,
    input  wire [WIDTH-1:0] write_data,
    input  wire             read,
    input  wire [ABITS-1:0] read_address,
    output reg  [WIDTH-1:0] read_data
);
  generate
    if (BLOCK != 0) begin : block
      (* ram_style = "block" *) reg [WIDTH-1:0] mem[0:DEPTH-1];
      always @(posedge aclk) begin
        if (write) mem[write_address] <= write_data;
        if (read) read_data <= mem[read_address];
      end
    end else begin : distributed
      (* ram_style = "distributed" *) reg [WIDTH-1:0] mem[0:DEPTH-1];
      always @(posedge aclk) begin
        if (write) mem[write_address] <= write_data;
        if (read) read_data <= mem[read_address];
      end
    end
  endgenerate
endmodule
