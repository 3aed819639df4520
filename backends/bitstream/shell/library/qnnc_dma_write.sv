// SPDX-License-Identifier: Apache-2.0
// Writes a batch from a stream to memory, in bursts (qnnc_bursts). A burst is
// announced when all of its data is there, so that the bus never waits, not even
// when a run is stopped.
module qnnc_dma_write #(
    parameter integer BYTES = 1,
    parameter integer WIDTH = 8
) (
    input  wire             aclk,
    input  wire             aresetn,
    input  wire             clear,
    input  wire             begin_run,
    input  wire             stop,
    input  wire [     31:0] address,
    input  wire [     31:0] units,
    input  wire [     28:0] beats,
    output wire             quiet,
    output reg              complete,
    output reg              bad_response,
    output reg              bad_protocol,
    // write channels
    output wire [     31:0] awaddr,
    output wire [      3:0] awlen,
    output wire             awvalid,
    input  wire             awready,
    output wire [     63:0] wdata,
    output wire [      7:0] wstrb,
    output wire             wlast,
    output wire             wvalid,
    input  wire             wready,
    input  wire [      1:0] bresp,
    input  wire             bvalid,
    // stream
    input  wire [WIDTH-1:0] s_axis_tdata,
    input  wire             s_axis_tvalid,
    output wire             s_axis_tready
);
  reg [28:0] to_send;
  reg [6:0] unasked;  // beats in the buffer that no burst has been announced for
  reg [6:0] promised;  // beats announced and not yet sent
  reg [4:0] unanswered;
  reg [3:0] sending;
  reg last;  // of the batch
  reg waiting;  // the stream's word was offered and not taken
  wire [7:0] last_strobes;
  wire [63:0] packed_beat;
  wire packed_valid, packed_ready, beat_valid;
  wire asked;
  wire [4:0] length;
  wire sent = wvalid & wready;
  wire stored = packed_valid & packed_ready;
  // an answer that nobody waits for is flagged and must not upset the count
  wire answered = bvalid & unanswered != 5'd0;
  assign quiet  = ~awvalid & promised == 7'd0 & unanswered == 5'd0;
  assign wvalid = beat_valid & promised != 7'd0;
  assign wlast  = sending == 4'd15 | last;
  assign wstrb  = last ? last_strobes : 8'hff;

  qnnc_bursts bursts (
      .aclk(aclk),
      .aresetn(aresetn),
      .clear(clear),
      .begin_run(begin_run),
      .stop(stop),
      .address(address),
      .beats(beats),
      .can_ask(unasked >= {2'd0, length} & ~unanswered[4]),
      .asked(asked),
      .length(length),
      .axaddr(awaddr),
      .axlen(awlen),
      .axvalid(awvalid),
      .axready(awready)
  );

  always @(posedge aclk) begin
    complete <= ~begin_run & to_send == 29'd0 & quiet;
    bad_response <= bvalid & bresp != 2'b00;
    waiting <= s_axis_tvalid & ~s_axis_tready & aresetn & ~clear;
    bad_protocol <= waiting & ~s_axis_tvalid | bvalid & ~answered;
    if (!aresetn | clear) begin
      to_send <= 29'd0;
      unasked <= 7'd0;
      promised <= 7'd0;
      unanswered <= 5'd0;
    end else begin
      if (begin_run) to_send <= beats;
      else if (sent) to_send <= to_send - 29'd1;
      unasked <= unasked + {6'd0, stored} - (asked ? {2'd0, length} : 7'd0);
      promised <= promised + (asked ? {2'd0, length} : 7'd0) - {6'd0, sent};
      unanswered <= unanswered + {4'd0, asked} - {4'd0, answered};
    end
    if (begin_run) begin
      sending <= address[6:3];
      last <= beats == 29'd1;
    end else if (sent) begin
      sending <= sending + 4'd1;
      last <= to_send == 29'd2;
    end
  end

  qnnc_pack #(
      .BYTES(BYTES),
      .WIDTH(WIDTH)
  ) pack (
      .aclk(aclk),
      .aresetn(aresetn & ~clear),
      .begin_run(begin_run),
      .units(units),
      .last_strobes(last_strobes),
      .s_axis_tdata(s_axis_tdata),
      .s_axis_tvalid(s_axis_tvalid),
      .s_axis_tready(s_axis_tready),
      .m_axis_tdata(packed_beat),
      .m_axis_tvalid(packed_valid),
      .m_axis_tready(packed_ready)
  );

  qnnc_fifo #(
      .WIDTH(64),
      .DEPTH(65)
  ) buffer (
      .aclk(aclk),
      .aresetn(aresetn & ~clear),
      .s_axis_tdata(packed_beat),
      .s_axis_tvalid(packed_valid),
      .s_axis_tready(packed_ready),
      .m_axis_tdata(wdata),
      .m_axis_tvalid(beat_valid),
      .m_axis_tready(wready & promised != 7'd0)
  );

`ifdef QNNC_ASSERTIONS
`include "qnnc_assert.svh"
  reg [6:0] open;  // bursts announced whose last beat has not been sent
  always @(posedge aclk)
    if (!aresetn | clear) open <= 7'd0;
    else open <= open + {6'd0, asked} - {6'd0, sent & wlast};
  `QNNC_ASSERT(bursts_end_with_wlast, (open == 7'd0) == (promised == 7'd0) & open <= promised)
  `QNNC_ASSERT(data_for_burst, ~asked | unasked >= {2'd0, length})
  `QNNC_ASSERT_HELD(data_holds, wvalid, wready, {wdata, wstrb, wlast})
`endif
endmodule
