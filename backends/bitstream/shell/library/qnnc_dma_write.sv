// SPDX-License-Identifier: Apache-2.0
// Writes a batch from a stream to memory in bursts of up to 16 beats of 8 bytes
// that end at multiples of 128 bytes. A burst is announced when all of its data
// is there, so that it never keeps the bus waiting, also when a run is stopped.
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
    output reg  [     31:0] awaddr,
    output reg  [      3:0] awlen,
    output reg              awvalid,
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
  localparam integer ROOM = 64;
  reg [28:0] to_ask, to_send;
  reg [6:0] unasked;  // beats in the buffer that no burst has been announced for
  reg [6:0] promised;  // beats announced and not yet sent
  reg [4:0] unanswered;
  reg [3:0] sending;
  reg prepared;
  reg [28:0] ask_next;
  reg [31:0] address_next;
  reg last;  // of the batch
  reg waiting;  // the stream's word was offered and not taken
  wire [3:0] until_boundary = ~awaddr[6:3];
  wire [7:0] last_strobes;
  wire [63:0] packed_beat;
  wire packed_valid, packed_ready, beat_valid;
  wire asked = awvalid & awready;
  wire sent = wvalid & wready;
  wire stored = packed_valid & packed_ready;
  wire [4:0] length = {1'b0, awlen} + 5'd1;
  // an answer that nobody waits for is flagged, and must not upset the count
  wire answered = bvalid & unanswered != 5'd0;
  assign quiet = ~awvalid & promised == 7'd0 & unanswered == 5'd0;
  assign wvalid = beat_valid & promised != 7'd0;
  assign wlast = sending == 4'd15 | last;
  assign wstrb = last ? last_strobes : 8'hff;

  always @(posedge aclk) begin
    complete <= ~begin_run & to_send == 29'd0 & quiet;
    bad_response <= bvalid & bresp != 2'b00;
    waiting <= s_axis_tvalid & ~s_axis_tready & aresetn & ~clear;
    bad_protocol <= waiting & ~s_axis_tvalid | bvalid & ~answered;
    if (!aresetn | clear) begin
      awvalid <= 1'b0;
      prepared <= 1'b0;
      to_ask <= 29'd0;
      to_send <= 29'd0;
      unasked <= 7'd0;
      promised <= 7'd0;
      unanswered <= 5'd0;
    end else begin
      if (begin_run) begin
        to_ask  <= beats;
        to_send <= beats;
      end else begin
        if (asked) to_ask <= ask_next;
        if (sent) to_send <= to_send - 29'd1;
      end
      if (asked) begin
        awvalid  <= 1'b0;
        prepared <= 1'b0;
      end else if (prepared & ~awvalid & ~stop & unasked >= {2'd0, length} & ~unanswered[4]) begin
        awvalid <= 1'b1;
      end else if (~prepared & to_ask != 29'd0 & ~begin_run) begin
        prepared <= 1'b1;
      end
      unasked <= unasked + {6'd0, stored} - (asked ? {2'd0, length} : 7'd0);
      promised <= promised + (asked ? {2'd0, length} : 7'd0) - {6'd0, sent};
      unanswered <= unanswered + {4'd0, asked} - {4'd0, answered};
    end
    if (begin_run) begin
      awaddr  <= address;
      sending <= address[6:3];
      last <= beats == 29'd1;
    end else begin
      if (asked) awaddr <= address_next;
      if (sent) begin
        sending <= sending + 4'd1;
        last <= to_send == 29'd2;
      end
    end
    // one step ahead, so that no adder lies behind the bus
    ask_next <= to_ask - {24'd0, length};
    address_next <= awaddr + {24'd0, length, 3'b000};
    if (~awvalid)
      awlen <= to_ask > {25'd0, until_boundary} ? until_boundary : to_ask[3:0] - 4'd1;
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
      .DEPTH(ROOM + 1)
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
endmodule
