// SPDX-License-Identifier: Apache-2.0
// CYCLES registers in a row, without reset; a wire when CYCLES is 0.
module qnnc_delay #(
    parameter integer WIDTH = 1,
    parameter integer CYCLES = 1
) (
    input  wire             aclk,
    input  wire [WIDTH-1:0] in,
    output wire [WIDTH-1:0] out
);
  generate
    if (CYCLES == 0) begin : none
      assign out = in;
    end else begin : registers
      reg [CYCLES*WIDTH-1:0] line;
      if (CYCLES == 1) begin : one
        always @(posedge aclk) line <= in;
      end else begin : many
        always @(posedge aclk) line <= {line[(CYCLES-1)*WIDTH-1:0], in};
      end
      assign out = line[(CYCLES-1)*WIDTH+:WIDTH];
    end
  endgenerate
endmodule
