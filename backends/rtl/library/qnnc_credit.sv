// SPDX-License-Identifier: Apache-2.0
// Credits for a free-running pipeline that ends in an output buffer of COUNT
// words: `take` when a word enters the pipeline, `give` when one leaves the
// buffer. `available` comes from registers only.
module qnnc_credit #(
    parameter integer COUNT = 1
) (
    input  wire aclk,
    input  wire aresetn,
    input  wire take,
    input  wire give,
    output wire available
);
  generate
    if (COUNT == 1) begin : single
      reg busy;
      always @(posedge aclk)
        if (!aresetn) busy <= 1'b0;
        else if (take) busy <= 1'b1;
        else if (give) busy <= 1'b0;
      assign available = ~busy;
`ifdef QNNC_ASSERTIONS
`include "qnnc_assert.svh"
      `QNNC_ASSERT(never_negative, ~take | ~busy)
      `QNNC_ASSERT(returns_what_was_taken, ~give | busy)
`endif
    end else begin : many
      localparam integer BITS = $clog2(COUNT + 1);
      reg [BITS-1:0] left;
      always @(posedge aclk)
        if (!aresetn) left <= COUNT[BITS-1:0];
        else if (take & ~give) left <= left - 1'b1;
        else if (give & ~take) left <= left + 1'b1;
      assign available = |left;
`ifdef QNNC_ASSERTIONS
`include "qnnc_assert.svh"
      `QNNC_ASSERT(never_negative, ~take | left != 0)
      `QNNC_ASSERT(returns_what_was_taken, ~give | left != COUNT[BITS-1:0])
`endif
    end
  endgenerate
endmodule
