// SPDX-License-Identifier: Apache-2.0
// Results come in as word 0 of all BATCH vectors, then word 1 of all, and so on,
// and go out vector by vector. There is room for one batch: results of the next
// go where words have been read. The producer holds a credit for each place;
// `released` returns one.
module qnnc_batch_output #(
    parameter integer WIDTH = 8,
    parameter integer NF = 4,
    parameter integer BATCH = 4,
    parameter integer BLOCK = 0
) (
    input  wire             aclk,
    input  wire             aresetn,
    input  wire             push,
    input  wire [WIDTH-1:0] push_data,
    output wire             released,
    output wire [WIDTH-1:0] m_axis_tdata,
    output reg              m_axis_tvalid,
    input  wire             m_axis_tready
);
  localparam integer WORDS = BATCH * NF;
  localparam integer ABITS = $clog2(WORDS);
  wire [ABITS-1:0] read_address, write_address;
  wire read_last, write_last;
  reg whole;  // a batch is complete
  assign released = whole & (~m_axis_tvalid | m_axis_tready);

  always @(posedge aclk)
    if (!aresetn) begin
      whole <= 1'b0;
      m_axis_tvalid <= 1'b0;
    end else begin
      if (push & write_last) whole <= 1'b1;
      else if (released & read_last) whole <= 1'b0;
      if (released) m_axis_tvalid <= 1'b1;
      else if (m_axis_tready) m_axis_tvalid <= 1'b0;
    end

  qnnc_transposed #(
      .ROWS(NF),
      .COLUMNS(BATCH),
      .READS(0),
      .ABITS(ABITS)
  ) writer (
      .aclk(aclk),
      .aresetn(aresetn),
      .step(push),
      .address(write_address),
      .last(write_last)
  );
  qnnc_transposed #(
      .ROWS(NF),
      .COLUMNS(BATCH),
      .READS(1),
      .ABITS(ABITS)
  ) reader (
      .aclk(aclk),
      .aresetn(aresetn),
      .step(released),
      .address(read_address),
      .last(read_last)
  );
  qnnc_dual_ram #(
      .WIDTH(WIDTH),
      .DEPTH(WORDS),
      .ABITS(ABITS),
      .BLOCK(BLOCK)
  ) results (
      .aclk(aclk),
      .write(push),
      .write_address(write_address),
      .write_data(push_data),
      .read(released),
      .read_address(read_address),
      .read_data(m_axis_tdata)
  );

`ifdef QNNC_ASSERTIONS
`include "qnnc_assert.svh"
  localparam integer CBITS = $clog2(WORDS + 1);
  localparam [CBITS-1:0] FULL = CBITS'(WORDS);
  reg [CBITS-1:0] stored;
  always @(posedge aclk)
    if (!aresetn) stored <= {CBITS{1'b0}};
    else if (push & ~released) stored <= stored + 1'b1;
    else if (released & ~push) stored <= stored - 1'b1;
  `QNNC_ASSERT(no_overflow, ~push | stored != FULL)
  `QNNC_ASSERT(no_underflow, ~released | stored != 0)
  `QNNC_ASSERT_STREAM(m_axis)
`endif
endmodule
