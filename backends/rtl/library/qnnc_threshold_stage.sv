// SPDX-License-Identifier: Apache-2.0
// One step of the binary search over a channel's sorted thresholds: reads the
// threshold in the middle of the remaining ones (a table of DEPTH entries, by
// channel fold and the decisions so far) and compares: the next decision is
// x >= t. Two cycles: table, comparison.
module qnnc_threshold_stage #(
    parameter integer WIDTH = 8,
    parameter integer SIGNED = 1,
    parameter integer DEPTH = 1,
    parameter integer ABITS = 1,
    parameter integer STYLE = 0,
    parameter INIT_FILE = ""
) (
    input  wire             aclk,
    input  wire [ABITS-1:0] address,
    input  wire [WIDTH-1:0] x,
    output reg              reached
);
  wire [WIDTH-1:0] threshold;
  reg  [WIDTH-1:0] x_q;
  qnnc_rom #(
      .WIDTH(WIDTH),
      .DEPTH(DEPTH),
      .ABITS(ABITS),
      .STYLE(STYLE),
      .INIT_FILE(INIT_FILE)
  ) table_rom (
      .aclk(aclk),
      .address(address),
      .data(threshold)
  );
  always @(posedge aclk) begin
    x_q <= x;
    if (SIGNED != 0) reached <= $signed(x_q) >= $signed(threshold);
    else reached <= x_q >= threshold;
  end
endmodule
