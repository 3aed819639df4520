// SPDX-License-Identifier: Apache-2.0
// Unpacks words of a stream from beats of 8 bytes: several words per beat (BYTES is
// 1, 2 or 4), one (8), or several beats per word (a multiple of 8). In every cycle
// it can deliver a word or take a beat; it drops what follows the last word.
module qnnc_unpack #(
    parameter integer BYTES = 1,
    parameter integer WIDTH = 8
) (
    input  wire             aclk,
    input  wire             aresetn,
    input  wire             begin_run,
    input  wire [     31:0] units,
    output wire             done,
    input  wire [     63:0] s_axis_tdata,
    input  wire             s_axis_tvalid,
    output wire             s_axis_tready,
    output wire [WIDTH-1:0] m_axis_tdata,
    output wire             m_axis_tvalid,
    input  wire             m_axis_tready
);
  generate
    if (BYTES < 8) begin : narrow
      localparam integer RATIO = 8 / BYTES;
      reg [31:0] left;  // words to deliver
      reg last;  // one is left
      reg finished;  // none is left
      reg [63:0] held;
      reg [3:0] count;  // words in `held`
      wire taken = m_axis_tvalid & m_axis_tready;
      assign done = finished;
      assign m_axis_tvalid = count != 4'd0;
      assign m_axis_tdata = held[WIDTH-1:0];
      assign s_axis_tready = ~done & (count == 4'd0 | count == 4'd1 & taken & ~last);
      always @(posedge aclk) begin
        if (!aresetn) begin
          left <= 32'd0;
          last <= 1'b0;
          finished <= 1'b1;
          count <= 4'd0;
        end else begin
          if (begin_run) begin
            left <= units;
            last <= units == 32'd1;
            finished <= 1'b0;
          end else if (taken) begin
            left <= left - 32'd1;
            last <= left == 32'd2;
            finished <= last;
          end
          if (taken & last) count <= 4'd0;
          else if (s_axis_tvalid & s_axis_tready) count <= RATIO[3:0];
          else if (taken) count <= count - 4'd1;
        end
        if (s_axis_tvalid & s_axis_tready) held <= s_axis_tdata;
        else if (taken) held <= held >> (8 * BYTES);
      end
    end else begin : wide
      localparam integer BEATS = BYTES / 8;
      wire [BYTES*8-1:0] joined;
      reg [WIDTH-1:0] word;
      reg [31:0] left;  // beats to come
      reg [15:0] count;  // beats collected
      reg valid;
      wire full = count == 16'(BEATS - 1);
      wire free = ~valid | m_axis_tready;
      assign done = ~valid & left == 32'd0;
      assign m_axis_tvalid = valid;
      assign m_axis_tdata = word;
      assign s_axis_tready = ~full | free;
      always @(posedge aclk) begin
        if (!aresetn) begin
          count <= 16'd0;
          valid <= 1'b0;
          left  <= 32'd0;
        end else begin
          if (begin_run) left <= units;
          else if (s_axis_tvalid & s_axis_tready) left <= left - 32'd1;
          if (s_axis_tvalid & s_axis_tready) count <= full ? 16'd0 : count + 16'd1;
          if (s_axis_tvalid & full & free) valid <= 1'b1;
          else if (m_axis_tready) valid <= 1'b0;
        end
        if (s_axis_tvalid & s_axis_tready & full) word <= WIDTH'(joined);
      end
      if (BEATS == 1) begin : one
        assign joined = s_axis_tdata;
      end else begin : several
        reg [BYTES*8-65:0] collected;
        assign joined = {s_axis_tdata, collected};
        always @(posedge aclk)
          if (s_axis_tvalid & s_axis_tready) collected <= joined[BYTES*8-1:64];
      end
    end
  endgenerate

`ifdef QNNC_ASSERTIONS
`include "qnnc_assert.svh"
  `QNNC_ASSERT_STREAM(m_axis)
`endif
endmodule
