// SPDX-License-Identifier: Apache-2.0
// Counts 0 to COUNT - 1 and starts again; `last` in the last of them.
module qnnc_counter #(
    parameter integer COUNT = 4
) (
    input  wire aclk,
    input  wire aresetn,
    input  wire advance,
    output wire last
);
  generate
    if (COUNT == 1) begin : constant
      assign last = 1'b1;
    end else begin : counter
      reg [$clog2(COUNT)-1:0] value;
      assign last = value == COUNT - 1;
      always @(posedge aclk)
        if (!aresetn) value <= 0;
        else if (advance) value <= last ? 0 : value + 1'b1;
    end
  endgenerate
endmodule
