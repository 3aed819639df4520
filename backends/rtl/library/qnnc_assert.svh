// SPDX-License-Identifier: Apache-2.0
// Macros for the assertions of modules with the ports aclk and aresetn. Modules
// include this file where QNNC_ASSERTIONS is defined: in simulations with Verilator
// and in proofs. No other tool needs it.
`ifndef QNNC_ASSERT_SVH
`define QNNC_ASSERT_SVH

// The condition holds at every clock edge out of reset.
`define QNNC_ASSERT(label, condition) \
  always @(posedge aclk) if (aresetn) label : assert (condition);

// A word that is offered stays, unchanged, until it is taken.
`define QNNC_ASSERT_HELD(label, valid, ready, word) \
  reg label``_waits; \
  reg [$bits(word)-1:0] label``_word; \
  always @(posedge aclk) begin \
    label``_waits <= aresetn & (valid) & ~(ready); \
    label``_word <= word; \
    if (aresetn & label``_waits) label : assert ((valid) & (word) == label``_word); \
  end

// AXI-Stream: tvalid and tdata hold until tready.
`define QNNC_ASSERT_STREAM(port) \
  `QNNC_ASSERT_HELD(port``_holds, port``_tvalid, port``_tready, port``_tdata)

// Exactly one bit is set.
`define QNNC_ASSERT_ONE_HOT(label, word) \
  `QNNC_ASSERT(label, (word) != 0 & ((word) & ((word) - 1'b1)) == 0)

// No bit is set, or one.
`define QNNC_ASSERT_AT_MOST_ONE(label, word) \
  `QNNC_ASSERT(label, ((word) & ((word) - 1'b1)) == 0)
`endif
