// SPDX-License-Identifier: Apache-2.0
// CYCLES registers in a row, cleared by reset: for the valid flags of a pipeline.
module qnnc_flag_delay #(
    parameter integer CYCLES = 1
) (
    input  wire aclk,
    input  wire aresetn,
    input  wire in,
    output wire out
);
  generate
    if (CYCLES == 0) begin : none
      assign out = in;
    end else if (CYCLES == 1) begin : one
      reg line;
      always @(posedge aclk) line <= in & aresetn;
      assign out = line;
    end else begin : many
      reg [CYCLES-1:0] line;
      always @(posedge aclk)
        if (!aresetn) line <= {CYCLES{1'b0}};
        else line <= {line[CYCLES-2:0], in};
      assign out = line[CYCLES-1];
    end
  endgenerate
endmodule
