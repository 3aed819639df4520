// SPDX-License-Identifier: Apache-2.0
// Counts from 0 to COUNT - 1 and starts over; `last` says that it is at COUNT - 1.
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
      localparam integer BITS = $clog2(COUNT);
      reg [BITS-1:0] value;
      assign last = value == BITS'(COUNT - 1);
      always @(posedge aclk)
        if (!aresetn) value <= {BITS{1'b0}};
        else if (advance) value <= last ? {BITS{1'b0}} : value + 1'b1;
    end
  endgenerate
endmodule
