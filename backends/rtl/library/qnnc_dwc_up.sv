// SPDX-License-Identifier: Apache-2.0
// Data width converter: RATIO words of WIDTH bits become one, the first in the
// low bits. There are no bubbles as long as the consumer takes each word within
// RATIO - 1 cycles.
module qnnc_dwc_up #(
    parameter integer WIDTH = 8,
    parameter integer RATIO = 2
) (
    input  wire                   aclk,
    input  wire                   aresetn,
    input  wire [      WIDTH-1:0] s_axis_tdata,
    input  wire                   s_axis_tvalid,
    output wire                   s_axis_tready,
    output reg  [RATIO*WIDTH-1:0] m_axis_tdata,
    output reg                    m_axis_tvalid,
    input  wire                   m_axis_tready
);
  localparam integer CBITS = $clog2(RATIO);
  reg [CBITS-1:0] count;
  reg [(RATIO-1)*WIDTH-1:0] collected;
  reg last;  // count == RATIO - 1, in a register, since much hangs on it
  wire take = s_axis_tvalid & s_axis_tready;
  assign s_axis_tready = ~last | ~m_axis_tvalid;

  wire [RATIO*WIDTH-1:0] word = {s_axis_tdata, collected};
  always @(posedge aclk) begin
    if (!aresetn) begin
      count <= {CBITS{1'b0}};
      last <= 1'b0;
      m_axis_tvalid <= 1'b0;
    end else begin
      if (take) begin
        count <= last ? {CBITS{1'b0}} : count + 1'b1;
        last  <= count == CBITS'(RATIO - 2);
      end
      if (take & last) m_axis_tvalid <= 1'b1;
      else if (m_axis_tready) m_axis_tvalid <= 1'b0;
    end
    if (take) collected <= word[RATIO*WIDTH-1:WIDTH];
    if (take & last) m_axis_tdata <= word;
  end

`ifdef QNNC_ASSERTIONS
`include "qnnc_assert.svh"
  `QNNC_ASSERT(counts_words, count <= CBITS'(RATIO - 1))
  `QNNC_ASSERT(last_is_the_last, last == (count == CBITS'(RATIO - 1)))
  `QNNC_ASSERT_STREAM(m_axis)
`endif
endmodule
