// SPDX-License-Identifier: Apache-2.0
// Weights of a matrix-vector unit, delivered in the order of use, over and over:
// one word per `advance`. GROUP words lie side by side in a memory row, so that
// deep and narrow contents fill block RAMs (up to 1,024 rows); a counter then
// picks the word from the row.
//
// A word that `advance` asks for in cycle t is on `word` in cycle t + LATENCY,
// where LATENCY = 2 + (GROUP > 1 ? 1 : 0).
module qnnc_weight_stream #(
    parameter integer WIDTH = 8,
    parameter integer DEPTH = 64,
    parameter integer GROUP = 1,
    parameter integer STYLE = 1,
    parameter INIT_FILE = ""
) (
    input  wire             aclk,
    input  wire             aresetn,
    input  wire             advance,
    output wire [WIDTH-1:0] word
);
  localparam integer ROWS = (DEPTH + GROUP - 1) / GROUP;
  localparam integer RBITS = ROWS > 1 ? $clog2(ROWS) : 1;
  localparam integer GBITS = GROUP > 1 ? $clog2(GROUP) : 1;

  generate
    if (DEPTH == 1) begin : constant
      reg [WIDTH-1:0] mem[0:0];
      initial $readmemh(INIT_FILE, mem);
      assign word = mem[0];
    end else begin : stream
      localparam [RBITS-1:0] LAST_ROW = RBITS'(ROWS - 1);
      reg [RBITS-1:0] row;
      wire [GROUP*WIDTH-1:0] line;
      qnnc_rom #(
          .WIDTH(GROUP * WIDTH),
          .DEPTH(ROWS),
          .ABITS(RBITS),
          .STYLE(STYLE),
          .OUTPUT_REGISTER(1),
          .INIT_FILE(INIT_FILE)
      ) rom (
          .aclk(aclk),
          .address(row),
          .data(line)
      );
      if (GROUP == 1) begin : plain
        wire last = row == LAST_ROW;
        always @(posedge aclk)
          if (!aresetn) row <= {RBITS{1'b0}};
          else if (advance) row <= last ? {RBITS{1'b0}} : row + 1'b1;
        assign word = line;
      end else begin : grouped
        reg [GBITS-1:0] sub;
        localparam [GBITS-1:0] LAST_SUB = GBITS'((DEPTH - 1) % GROUP);
        wire row_end = sub == GBITS'(GROUP - 1);
        wire last = (row == LAST_ROW) & (sub == LAST_SUB);
        always @(posedge aclk)
          if (!aresetn) begin
            row <= {RBITS{1'b0}};
            sub <= {GBITS{1'b0}};
          end else if (advance) begin
            sub <= (row_end | last) ? {GBITS{1'b0}} : sub + 1'b1;
            if (last) row <= {RBITS{1'b0}};
            else if (row_end) row <= row + 1'b1;
          end
        wire [GBITS-1:0] select;
        qnnc_delay #(
            .WIDTH(GBITS),
            .CYCLES(2)
        ) align (
            .aclk(aclk),
            .in(sub),
            .out(select)
        );
        reg [WIDTH-1:0] word_q;
        always @(posedge aclk) word_q <= line[select*WIDTH+:WIDTH];
        assign word = word_q;
      end
    end
  endgenerate
endmodule
