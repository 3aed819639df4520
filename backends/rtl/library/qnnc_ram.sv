// SPDX-License-Identifier: Apache-2.0
// Memory with one write port and one read port; a read returns what was written
// in earlier cycles. The registered output holds while `read` is low.
//
// In block RAM it may be made of several banks of BANK words (a power of two)
// whose outputs are multiplexed: memories deeper than one column of block RAM,
// and those that take fewer blocks that way. Each bank is inferred by itself.
module qnnc_ram #(
    parameter integer WIDTH = 8,
    parameter integer DEPTH = 32,
    parameter integer ABITS = 5,
    parameter integer BLOCK = 0,
    parameter integer BANK  = 0
) (
    input  wire             aclk,
    input  wire             write,
    input  wire [ABITS-1:0] write_address,
    input  wire [WIDTH-1:0] write_data,
    input  wire             read,
    input  wire [ABITS-1:0] read_address,
    output wire [WIDTH-1:0] read_data
);
  localparam integer BANKS = BLOCK == 0 || BANK == 0 ? 1 : (DEPTH + BANK - 1) / BANK;
  generate
    if (BANKS > 1) begin : banked
      localparam integer INNER = $clog2(BANK);
      localparam integer OUTER = $clog2(BANKS);
      wire [WIDTH-1:0] word[0:BANKS-1];
      reg [OUTER-1:0] selected;
      always @(posedge aclk) if (read) selected <= read_address[INNER+:OUTER];
      assign read_data = word[selected];
      genvar i;
      for (i = 0; i < BANKS; i = i + 1) begin : bank
        localparam integer WORDS = i == BANKS - 1 ? DEPTH - i * BANK : BANK;
        qnnc_ram_bank #(
            .WIDTH(WIDTH),
            .WORDS(WORDS),
            .ABITS(INNER)
        ) ram (
            .aclk(aclk),
            .write(write & (write_address[INNER+:OUTER] == i)),
            .write_address(write_address[INNER-1:0]),
            .write_data(write_data),
            .read(read),
            .read_address(read_address[INNER-1:0]),
            .read_data(word[i])
        );
      end
    end else if (BLOCK != 0) begin : block
      qnnc_ram_bank #(
          .WIDTH(WIDTH),
          .WORDS(DEPTH),
          .ABITS(ABITS)
      ) ram (
          .aclk(aclk),
          .write(write),
          .write_address(write_address),
          .write_data(write_data),
          .read(read),
          .read_address(read_address),
          .read_data(read_data)
      );
    end else begin : distributed
      (* ram_style = "distributed" *) reg [WIDTH-1:0] mem[0:DEPTH-1];
      reg [WIDTH-1:0] word;
      assign read_data = word;
      always @(posedge aclk) begin
        if (write) mem[write_address] <= write_data;
        if (read) word <= mem[read_address];
      end
    end
  endgenerate
endmodule
