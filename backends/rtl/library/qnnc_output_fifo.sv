// SPDX-License-Identifier: Apache-2.0
// Output buffer for pipelines that deliver a word almost every cycle: a FIFO of
// up to 32 words in shift registers (one LUT per bit) with a registered output.
// As with qnnc_output_buffer, credits keep the producer from overfilling it.
module qnnc_output_fifo #(
    parameter integer WIDTH = 8,
    parameter integer DEPTH = 16
) (
    input  wire             aclk,
    input  wire             aresetn,
    input  wire             push,
    input  wire [WIDTH-1:0] push_data,
    output wire             popped,
    output reg  [WIDTH-1:0] m_axis_tdata,
    output reg              m_axis_tvalid,
    input  wire             m_axis_tready
);
  localparam integer ABITS = DEPTH > 16 ? 5 : 4;
  // The number of words stored minus one: all ones, and so negative, when empty.
  reg [ABITS:0] top;
  wire stored = ~top[ABITS];
  wire move = stored & (~m_axis_tvalid | m_axis_tready);
  wire [WIDTH-1:0] oldest;
  assign popped = m_axis_tvalid & m_axis_tready;

  always @(posedge aclk) begin
    if (!aresetn) begin
      top <= {ABITS + 1{1'b1}};
      m_axis_tvalid <= 1'b0;
    end else begin
      if (push & ~move) top <= top + 1'b1;
      else if (move & ~push) top <= top - 1'b1;
      if (move) m_axis_tvalid <= 1'b1;
      else if (m_axis_tready) m_axis_tvalid <= 1'b0;
    end
    if (move) m_axis_tdata <= oldest;
  end

  qnnc_shift_register #(
      .WIDTH(WIDTH),
      .ABITS(ABITS)
  ) words (
      .aclk(aclk),
      .shift(push),
      .in(push_data),
      .address(top[ABITS-1:0]),
      .out(oldest)
  );

`ifdef QNNC_ASSERTIONS
`include "qnnc_assert.svh"
  `QNNC_ASSERT(no_overflow, ~push | move | top != {1'b0, {ABITS{1'b1}}})
  `QNNC_ASSERT_STREAM(m_axis)
`endif
endmodule
