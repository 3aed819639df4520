// SPDX-License-Identifier: Apache-2.0
// A state of a recurrence: frames of STEPS vectors of WORDS words. What goes out
// is START at the first step, and then what came in one step before; what comes
// in at the last step is dropped. Holds DEPTH words, a vector at least, so that
// the next state may arrive before the last one has been read in full.
module qnnc_state #(
    parameter integer WIDTH = 8,
    parameter integer WORDS = 4,
    parameter integer STEPS = 3,
    parameter integer DEPTH = 6,
    parameter [WIDTH*WORDS-1:0] START = 0
) (
    input  wire             aclk,
    input  wire             aresetn,
    input  wire [WIDTH-1:0] s_axis_tdata,
    input  wire             s_axis_tvalid,
    output wire             s_axis_tready,
    output wire [WIDTH-1:0] m_axis_tdata,
    output wire             m_axis_tvalid,
    input  wire             m_axis_tready
);
  localparam integer WBITS = WORDS > 1 ? $clog2(WORDS) : 1;
  localparam integer SBITS = STEPS > 1 ? $clog2(STEPS) : 1;
  localparam [WBITS-1:0] LAST_WORD = WBITS'(WORDS - 1);
  localparam [SBITS-1:0] LAST_STEP = SBITS'(STEPS - 1);

  // in: the vector of the last step is dropped
  wire drop, held_ready, vector_end;
  assign s_axis_tready = drop | held_ready;
  wire take = s_axis_tvalid & s_axis_tready;
  qnnc_counter #(
      .COUNT(WORDS)
  ) words_in (
      .aclk(aclk),
      .aresetn(aresetn),
      .advance(take),
      .last(vector_end)
  );
  qnnc_counter #(
      .COUNT(STEPS)
  ) steps_in (
      .aclk(aclk),
      .aresetn(aresetn),
      .advance(take & vector_end),
      .last(drop)
  );

  reg [WBITS-1:0] word_out;
  reg [SBITS-1:0] step_out;
  wire [WIDTH-1:0] held_data;
  wire held_valid;
  wire first = step_out == {SBITS{1'b0}};
  wire ready;
  qnnc_fifo #(
      .WIDTH(WIDTH),
      .DEPTH(DEPTH)
  ) held (
      .aclk(aclk),
      .aresetn(aresetn),
      .s_axis_tdata(s_axis_tdata),
      .s_axis_tvalid(s_axis_tvalid & ~drop),
      .s_axis_tready(held_ready),
      .m_axis_tdata(held_data),
      .m_axis_tvalid(held_valid),
      .m_axis_tready(ready & ~first)
  );

  // out: the initial state, or what is held
  wire valid = first | held_valid;
  wire give = valid & ready;
  always @(posedge aclk)
    if (!aresetn) begin
      word_out <= {WBITS{1'b0}};
      step_out <= {SBITS{1'b0}};
    end else if (give) begin
      word_out <= word_out == LAST_WORD ? {WBITS{1'b0}} : word_out + 1'b1;
      if (word_out == LAST_WORD)
        step_out <= step_out == LAST_STEP ? {SBITS{1'b0}} : step_out + 1'b1;
    end

  qnnc_register_slice #(
      .WIDTH(WIDTH)
  ) out (
      .aclk(aclk),
      .aresetn(aresetn),
      .s_axis_tdata(first ? START[word_out*WIDTH+:WIDTH] : held_data),
      .s_axis_tvalid(valid),
      .s_axis_tready(ready),
      .m_axis_tdata(m_axis_tdata),
      .m_axis_tvalid(m_axis_tvalid),
      .m_axis_tready(m_axis_tready)
  );
endmodule
