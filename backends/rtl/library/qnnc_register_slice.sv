// SPDX-License-Identifier: Apache-2.0
// A buffer of two words between two handshakes: one word per cycle, and no
// combinational path from one side to the other.
module qnnc_register_slice #(
    parameter integer WIDTH = 8
) (
    input  wire             aclk,
    input  wire             aresetn,
    input  wire [WIDTH-1:0] s_axis_tdata,
    input  wire             s_axis_tvalid,
    output wire             s_axis_tready,
    output reg  [WIDTH-1:0] m_axis_tdata,
    output reg              m_axis_tvalid,
    input  wire             m_axis_tready
);
  reg [WIDTH-1:0] waiting;
  reg full;
  assign s_axis_tready = ~full;
  wire move = ~m_axis_tvalid | m_axis_tready;

  always @(posedge aclk) begin
    if (!aresetn) begin
      full <= 1'b0;
      m_axis_tvalid <= 1'b0;
    end else begin
      if (move) begin
        full <= 1'b0;
        m_axis_tvalid <= full | s_axis_tvalid;
      end else if (s_axis_tvalid) full <= 1'b1;
    end
    if (~full) waiting <= s_axis_tdata;
    if (move) m_axis_tdata <= full ? waiting : s_axis_tdata;
  end

`ifdef QNNC_ASSERTIONS
`include "qnnc_assert.svh"
  `QNNC_ASSERT(fills_in_order, ~full | m_axis_tvalid)
  `QNNC_ASSERT_STREAM(m_axis)
`endif
endmodule
