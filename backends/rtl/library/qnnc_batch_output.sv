// SPDX-License-Identifier: Apache-2.0
// Results come as word 0 of all BATCH vectors, word 1 of all, and leave vector
// by vector. Two banks: while one batch leaves, the next one is written. The
// producer holds a credit for each bank; `released` gives one back.
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
  localparam integer WORDS = 2 * BATCH * NF;
  localparam integer ABITS = $clog2(WORDS);
  reg [ABITS-1:0] read_address;
  reg read_bank;
  reg [1:0] full;
  wire [ABITS-1:0] write_address;
  wire write_bank, last_vector, last_word;
  wire half = read_address == WORDS / 2 - 1;
  wire end_ = read_address == WORDS - 1;
  wire read = full[read_bank] & (~m_axis_tvalid | m_axis_tready);
  assign released = read & (half | end_);

  always @(posedge aclk)
    if (!aresetn) begin
      read_address <= {ABITS{1'b0}};
      read_bank <= 1'b0;
      full <= 2'b00;
      m_axis_tvalid <= 1'b0;
    end else begin
      if (read) read_address <= end_ ? {ABITS{1'b0}} : read_address + 1'b1;
      if (released) begin
        read_bank <= ~read_bank;
        full[read_bank] <= 1'b0;
      end
      if (push & last_vector & last_word) full[write_bank] <= 1'b1;
      if (read) m_axis_tvalid <= 1'b1;
      else if (m_axis_tready) m_axis_tvalid <= 1'b0;
    end

  qnnc_strided #(
      .COUNT(BATCH),
      .LENGTH(NF),
      .ABITS(ABITS)
  ) writer (
      .aclk(aclk),
      .aresetn(aresetn),
      .step(push),
      .address(write_address),
      .bank(write_bank),
      .first_vector(),
      .last_vector(last_vector),
      .first_word(),
      .last_word(last_word),
      .first_pass(),
      .last_pass()
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
      .read(read),
      .read_address(read_address),
      .read_data(m_axis_tdata)
  );
endmodule
