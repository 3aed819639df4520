// SPDX-License-Identifier: Apache-2.0
// FIFO of DEPTH words (at least 2) in distributed or block RAM, with a
// registered output; the output register counts towards DEPTH. BANK: words of a
// bank of the block RAM (qnnc_ram).
module qnnc_fifo #(
    parameter integer WIDTH = 8,
    parameter integer DEPTH = 32,
    parameter integer BLOCK = 0,
    parameter integer BANK  = 0
) (
    input  wire             aclk,
    input  wire             aresetn,
    input  wire [WIDTH-1:0] s_axis_tdata,
    input  wire             s_axis_tvalid,
    output wire             s_axis_tready,
    output wire [WIDTH-1:0] m_axis_tdata,
    output reg              m_axis_tvalid,
    input  wire             m_axis_tready
);
  localparam integer ROWS = DEPTH - 1;
  localparam integer ABITS = ROWS > 1 ? $clog2(ROWS) : 1;
  localparam integer CBITS = $clog2(ROWS + 1);
  localparam [ABITS-1:0] LAST = ABITS'(ROWS - 1);
  localparam [CBITS-1:0] FULL = CBITS'(ROWS);
  reg [ABITS-1:0] write_address, read_address;
  reg [CBITS-1:0] stored;
  reg some, room;  // stored != 0, stored != FULL: registers, since much hangs on them
  wire write = s_axis_tvalid & room;
  wire read = some & (~m_axis_tvalid | m_axis_tready);
  assign s_axis_tready = room;

  always @(posedge aclk)
    if (!aresetn) begin
      write_address <= {ABITS{1'b0}};
      read_address <= {ABITS{1'b0}};
      stored <= {CBITS{1'b0}};
      some <= 1'b0;
      room <= 1'b1;
      m_axis_tvalid <= 1'b0;
    end else begin
      if (write) write_address <= write_address == LAST ? {ABITS{1'b0}} : write_address + 1'b1;
      if (read) read_address <= read_address == LAST ? {ABITS{1'b0}} : read_address + 1'b1;
      if (write & ~read) begin
        stored <= stored + 1'b1;
        some   <= 1'b1;
        room   <= stored != FULL - 1'b1;
      end else if (read & ~write) begin
        stored <= stored - 1'b1;
        some   <= stored != CBITS'(1);
        room   <= 1'b1;
      end
      if (read) m_axis_tvalid <= 1'b1;
      else if (m_axis_tready) m_axis_tvalid <= 1'b0;
    end

  qnnc_ram #(
      .WIDTH(WIDTH),
      .DEPTH(ROWS),
      .ABITS(ABITS),
      .BLOCK(BLOCK),
      .BANK (BANK)
  ) words (
      .aclk(aclk),
      .write(write),
      .write_address(write_address),
      .write_data(s_axis_tdata),
      .read(read),
      .read_address(read_address),
      .read_data(m_axis_tdata)
  );

`ifdef QNNC_ASSERTIONS
`include "qnnc_assert.svh"
  `QNNC_ASSERT(never_overfull, stored <= FULL)
  `QNNC_ASSERT(knows_what_there_is, some == (stored != 0) & room == (stored != FULL))
  `QNNC_ASSERT_STREAM(m_axis)
`endif
endmodule
