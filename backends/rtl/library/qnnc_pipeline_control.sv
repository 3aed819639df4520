// SPDX-License-Identifier: Apache-2.0
// Moves a pipeline of STAGES register stages that ends in a qnnc_output_fifo of four
// words. `run` is a register: the pipeline moves while the FIFO is sure to have room
// for what comes out, so that it needs no credits.
// A word enters when valid and run are high, and arrives at the end (`done`) STAGES
// runs later. `push` says that it enters the FIFO then.
module qnnc_pipeline_control #(
    parameter integer STAGES = 4
) (
    input  wire aclk,
    input  wire aresetn,
    input  wire valid,
    input  wire popped,
    input  wire push,
    output reg  run,
    output wire done
);
  reg  [2:0] words;  // in the FIFO
  wire [2:0] next = words + {2'b00, push} - {2'b00, popped};
  always @(posedge aclk)
    if (!aresetn) begin
      words <= 3'd0;
      run   <= 1'b0;
    end else begin
      words <= next;
      run   <= ~next[2];
    end

  generate
    if (STAGES == 0) begin : none
      assign done = valid & run;
    end else if (STAGES == 1) begin : one
      reg full;
      assign done = full & run;
      always @(posedge aclk)
        if (!aresetn) full <= 1'b0;
        else if (run) full <= valid;
    end else begin : many
      reg [STAGES-1:0] full;
      assign done = full[STAGES-1] & run;
      always @(posedge aclk)
        if (!aresetn) full <= {STAGES{1'b0}};
        else if (run) full <= {full[STAGES-2:0], valid};
    end
  endgenerate

`ifdef QNNC_ASSERTIONS
`include "qnnc_assert.svh"
  `QNNC_ASSERT(no_overflow, ~push | popped | ~words[2])
  `QNNC_ASSERT(returns_what_was_pushed, ~popped | words != 3'd0)
`endif
endmodule
