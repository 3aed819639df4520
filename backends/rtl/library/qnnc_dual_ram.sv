// SPDX-License-Identifier: Apache-2.0
// Memory with one write port and one read port, never at the same address in the
// same cycle. Data comes out one cycle after `read`, two with OUTPUT_REGISTER.
// BLOCK puts it into block RAM: for synthesis, columns of RAMB18E1.
module qnnc_dual_ram #(
    parameter integer WIDTH = 18,
    parameter integer DEPTH = 1024,
    parameter integer ABITS = 10,
    parameter integer BLOCK = 0,
    parameter integer OUTPUT_REGISTER = 0
) (
    input  wire             aclk,
    input  wire             write,
    input  wire [ABITS-1:0] write_address,
    input  wire [WIDTH-1:0] write_data,
    input  wire             read,
    input  wire [ABITS-1:0] read_address,
    output wire [WIDTH-1:0] read_data
);
`ifdef QNNC_XILINX_MEMORY
  localparam integer PRIMITIVES = BLOCK;
`else
  localparam integer PRIMITIVES = 0;
`endif
  generate
    if (PRIMITIVES == 0) begin : inferred
      wire [WIDTH-1:0] word;
      qnnc_ram #(
          .WIDTH(WIDTH),
          .DEPTH(DEPTH),
          .ABITS(ABITS),
          .BLOCK(BLOCK)
      ) ram (
          .aclk(aclk),
          .write(write),
          .write_address(write_address),
          .write_data(write_data),
          .read(read),
          .read_address(read_address),
          .read_data(word)
      );
      qnnc_delay #(
          .WIDTH(WIDTH),
          .CYCLES(OUTPUT_REGISTER)
      ) output_register (
          .aclk(aclk),
          .in(word),
          .out(read_data)
      );
    end
`ifdef QNNC_XILINX_MEMORY
    else begin : columns
      localparam integer W =
          DEPTH <= 1024 ? 18 : DEPTH <= 2048 ? 9 : DEPTH <= 4096 ? 4 : DEPTH <= 8192 ? 2 : 1;
      localparam integer COLUMNS = (WIDTH + W - 1) / W;
      wire [COLUMNS*W-1:0] in = (COLUMNS * W)'(write_data);
      wire [COLUMNS*W-1:0] out;
      assign read_data = out[WIDTH-1:0];
      genvar i;
      for (i = 0; i < COLUMNS; i = i + 1) begin : column
        qnnc_ramb18_dual #(
            .W(W),
            .ABITS(ABITS),
            .OUTPUT_REGISTER(OUTPUT_REGISTER)
        ) ram (
            .aclk(aclk),
            .write(write),
            .write_address(write_address),
            .write_data(in[i*W+:W]),
            .read(read),
            .read_address(read_address),
            .read_data(out[i*W+:W])
        );
      end
    end
`endif
  endgenerate
endmodule
