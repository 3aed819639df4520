// SPDX-License-Identifier: Apache-2.0
// Elastic output buffer: DEPTH registers in a row that close up towards the
// output. The producer never pushes more words than it holds credits for, so it
// needs no ready signal; a pop returns the credit.
//
// Cost: no LUTs for data (clock enables only), one LUT per stage for control.
module qnnc_output_buffer #(
    parameter integer WIDTH = 8,
    parameter integer DEPTH = 1
) (
    input  wire             aclk,
    input  wire             aresetn,
    input  wire             push,
    input  wire [WIDTH-1:0] push_data,
    output wire             popped,
    output wire [WIDTH-1:0] m_axis_tdata,
    output wire             m_axis_tvalid,
    input  wire             m_axis_tready
);
  reg [DEPTH-1:0] valid;
  reg [DEPTH*WIDTH-1:0] data;
  wire [DEPTH-1:0] ready;  // ready[i]: stage i takes a word in this cycle

  assign m_axis_tvalid = valid[DEPTH-1];
  assign m_axis_tdata = data[(DEPTH-1)*WIDTH+:WIDTH];
  assign popped = m_axis_tvalid & m_axis_tready;

  genvar i;
  generate
    for (i = 0; i < DEPTH; i = i + 1) begin : stage
      wire in_valid;
      wire [WIDTH-1:0] in_data;
      if (i == 0) begin : first
        assign in_valid = push;
        assign in_data  = push_data;
      end else begin : next
        assign in_valid = valid[i-1];
        assign in_data  = data[(i-1)*WIDTH+:WIDTH];
      end
      // a stage from here on is free, or the last word leaves: no net depends on itself
      assign ready[i] = ~(&valid[DEPTH-1:i]) | m_axis_tready;
      always @(posedge aclk) begin
        if (!aresetn) valid[i] <= 1'b0;
        else if (ready[i]) valid[i] <= in_valid;
        if (ready[i]) data[i*WIDTH+:WIDTH] <= in_data;
      end
    end
  endgenerate

`ifdef QNNC_ASSERTIONS
`include "qnnc_assert.svh"
  `QNNC_ASSERT(no_overflow, ~push | ready[0])
  `QNNC_ASSERT_STREAM(m_axis)
`endif
endmodule
