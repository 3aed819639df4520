// SPDX-License-Identifier: Apache-2.0
// Read-only memory with a registered output (one cycle) and, with OUTPUT_REGISTER,
// a second register after it (two cycles; in block RAM, the primitive's own).
//
// INIT_FILE is a $readmemh file of DEPTH words, word 0 first. STYLE says where the
// contents are kept:
//   0  logic: they are part of the design and are optimised with it
//   1  block RAM
//   2  LUTs used as memory (LUT6, MUXF7, MUXF8)
// Two macros change where the contents of styles 1 and 2 come from, never the
// timing:
//   QNNC_RUNTIME_MEMORY   the simulator fills them in
//   QNNC_XILINX_MEMORY    primitives, patched in the netlist after synthesis
// A third, QNNC_UPDATABLE, turns style 0 into style 2.
module qnnc_rom #(
    parameter integer WIDTH = 18,
    parameter integer DEPTH = 1024,
    parameter integer ABITS = 10,
    parameter integer STYLE = 1,
    parameter integer OUTPUT_REGISTER = 0,
    parameter INIT_FILE = ""
) (
    input  wire             aclk,
    input  wire [ABITS-1:0] address,
    output wire [WIDTH-1:0] data
);
`ifdef QNNC_UPDATABLE
  localparam integer KIND = STYLE == 0 ? 2 : STYLE;
`else
  localparam integer KIND = STYLE;
`endif
  generate
    if (KIND == 0) begin : logic_rom
`ifdef YOSYS
      (* rom_style = "logic" *)
`else
      (* rom_style = "distributed" *)
`endif
      reg [WIDTH-1:0] mem[0:DEPTH-1];
      initial $readmemh(INIT_FILE, mem);
      reg [WIDTH-1:0] word;
      always @(posedge aclk) word <= mem[address];
      qnnc_delay #(
          .WIDTH(WIDTH),
          .CYCLES(OUTPUT_REGISTER)
      ) output_register (
          .aclk(aclk),
          .in(word),
          .out(data)
      );
    end else begin : memory
`ifdef QNNC_XILINX_MEMORY
      if (STYLE == 1) begin : block
        qnnc_rom_columns #(
            .WIDTH(WIDTH),
            .DEPTH(DEPTH),
            .ABITS(ABITS),
            .OUTPUT_REGISTER(OUTPUT_REGISTER)
        ) columns (
            .aclk(aclk),
            .address(address),
            .data(data)
        );
      end else begin : luts
        wire [WIDTH-1:0] read;
        genvar i;
        for (i = 0; i < WIDTH; i = i + 1) begin : bits
          qnnc_lut_rom #(
              .DEPTH(DEPTH),
              .ABITS(ABITS)
          ) rom (
              .address(address),
              .data(read[i])
          );
        end
        reg [WIDTH-1:0] word;
        always @(posedge aclk) word <= read;
        qnnc_delay #(
            .WIDTH(WIDTH),
            .CYCLES(OUTPUT_REGISTER)
        ) output_register (
            .aclk(aclk),
            .in(word),
            .out(data)
        );
      end
`else
      // the attribute must be a literal, so there is one memory per style
      reg [WIDTH-1:0] word;
      if (STYLE == 1) begin : block
        (* rom_style = "block" *) reg [WIDTH-1:0] mem[0:DEPTH-1];
`ifndef QNNC_RUNTIME_MEMORY
        initial $readmemh(INIT_FILE, mem);
`endif
        always @(posedge aclk) word <= mem[address];
      end else begin : luts
        (* rom_style = "distributed" *) reg [WIDTH-1:0] mem[0:DEPTH-1];
`ifndef QNNC_RUNTIME_MEMORY
        initial $readmemh(INIT_FILE, mem);
`endif
        always @(posedge aclk) word <= mem[address];
      end
      qnnc_delay #(
          .WIDTH(WIDTH),
          .CYCLES(OUTPUT_REGISTER)
      ) output_register (
          .aclk(aclk),
          .in(word),
          .out(data)
      );
`endif
    end
  endgenerate
endmodule
