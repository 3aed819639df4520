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
      reg at_last;  // a register, since much may hang on it
      assign last = at_last;
      always @(posedge aclk)
        if (!aresetn) begin
          value   <= {BITS{1'b0}};
          at_last <= 1'b0;
        end else if (advance) begin
          value   <= last ? {BITS{1'b0}} : value + 1'b1;
          at_last <= value == BITS'(COUNT - 2);
        end
`ifdef QNNC_ASSERTIONS
`include "qnnc_assert.svh"
      `QNNC_ASSERT(last_is_the_last, at_last == (value == BITS'(COUNT - 1)))
`endif
    end
  endgenerate
endmodule
