// SPDX-License-Identifier: Apache-2.0
// Packs words of a stream into beats of 8 bytes, the reverse of qnnc_unpack. The
// last beat of a batch may be only partly filled: `last_strobes` says which bytes
// count.
module qnnc_pack #(
    parameter integer BYTES = 1,
    parameter integer WIDTH = 8
) (
    input  wire             aclk,
    input  wire             aresetn,
    input  wire             begin_run,
    input  wire [     31:0] units,
    output reg  [      7:0] last_strobes,
    input  wire [WIDTH-1:0] s_axis_tdata,
    input  wire             s_axis_tvalid,
    output wire             s_axis_tready,
    output wire [     63:0] m_axis_tdata,
    output wire             m_axis_tvalid,
    input  wire             m_axis_tready
);
  reg [31:0] left;  // units to come
  reg last;  // the next word is the last
  reg active;
  generate
    if (BYTES < 8) begin : narrow
      localparam integer RATIO = 8 / BYTES;
      localparam integer RBITS = $clog2(RATIO);
      localparam [3:0] LAST = 4'(RATIO - 1);
      wire [RBITS-1:0] rest = units[RBITS-1:0];  // words in the last beat, 0 if it is full
      reg [63:0] held;
      reg [3:0] count;
      reg valid;
      wire [8*BYTES-1:0] word = {{(8 * BYTES - WIDTH) {1'b0}}, s_axis_tdata};
      wire moved = s_axis_tvalid & s_axis_tready;
      assign s_axis_tready = active & (~valid | m_axis_tready);
      assign m_axis_tvalid = valid;
      assign m_axis_tdata = held;
      integer i;
      always @(posedge aclk) begin
        if (!aresetn) begin
          count  <= 4'd0;
          valid  <= 1'b0;
          left   <= 32'd0;
          last   <= 1'b0;
          active <= 1'b0;
        end else begin
          if (begin_run) begin
            left   <= units;
            last   <= units == 32'd1;
            active <= 1'b1;
          end else if (moved) begin
            left <= left - 32'd1;
            last <= left == 32'd2;
            if (last) active <= 1'b0;
          end
          if (moved) count <= count == LAST | last ? 4'd0 : count + 4'd1;
          if (moved & (count == LAST | last)) valid <= 1'b1;
          else if (m_axis_tready) valid <= 1'b0;
        end
        for (i = 0; i < RATIO; i = i + 1)
          if (moved & count == 4'(i)) held[8*BYTES*i+:8*BYTES] <= word;
        if (begin_run)
          for (i = 0; i < 8; i = i + 1)
            last_strobes[i] <= rest == 0 | RBITS'(i / BYTES) < rest;
      end
    end else begin : wide
      localparam integer BEATS = BYTES / 8;
      reg [BYTES*8-1:0] held;
      reg [15:0] count;  // beats left in `held`
      wire [BYTES*8-1:0] word = {{(BYTES * 8 - WIDTH) {1'b0}}, s_axis_tdata};
      wire moved = s_axis_tvalid & s_axis_tready;
      assign s_axis_tready = active & (count == 16'd0 | count == 16'd1 & m_axis_tready);
      assign m_axis_tvalid = count != 16'd0;
      assign m_axis_tdata = held[63:0];
      always @(posedge aclk) begin
        if (!aresetn) begin
          count  <= 16'd0;
          left   <= 32'd0;
          last   <= 1'b0;
          active <= 1'b0;
        end else begin
          if (begin_run) begin
            left   <= units;
            last   <= units == BEATS;
            active <= 1'b1;
          end else if (moved) begin
            left <= left - BEATS;
            last <= left == 2 * BEATS;
            if (last) active <= 1'b0;
          end
          if (moved) count <= 16'(BEATS);
          else if (m_axis_tvalid & m_axis_tready) count <= count - 16'd1;
        end
        if (moved) held <= word;
        else if (m_axis_tready) held <= BEATS > 1 ? held >> 64 : held;
        last_strobes <= 8'hff;
      end
    end
  endgenerate

`ifdef QNNC_ASSERTIONS
`include "qnnc_assert.svh"
  `QNNC_ASSERT_STREAM(m_axis)
`endif
endmodule
