// SPDX-License-Identifier: Apache-2.0
// Synchronises an active-low reset from another clock domain with this one. The
// reset must last for three cycles of this clock, as the processing system's does.
module qnnc_reset_synchronizer (
    input  wire aclk,
    input  wire resetn,
    output wire aresetn
);
  (* ASYNC_REG = "TRUE" *) reg [2:0] stages;
  initial stages = 3'b000;
  always @(posedge aclk) stages <= {stages[1:0], resetn};
  assign aresetn = stages[2];
endmodule
