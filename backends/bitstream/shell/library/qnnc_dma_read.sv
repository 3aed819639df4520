// SPDX-License-Identifier: Apache-2.0
// Reads a batch from memory into a stream, in bursts (qnnc_bursts) of which as many
// are outstanding as the buffer has room for, so that the bus never waits.
module qnnc_dma_read #(
    parameter integer BYTES = 1,
    parameter integer WIDTH = 8,
    parameter [31:0] LOOP = 32'd0
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
    // read channel
    output wire [     31:0] araddr,
    output wire [      3:0] arlen,
    output wire             arvalid,
    input  wire             arready,
    input  wire [     63:0] rdata,
    input  wire [      1:0] rresp,
    input  wire             rlast,
    input  wire             rvalid,
    // stream
    output wire [WIDTH-1:0] m_axis_tdata,
    output wire             m_axis_tvalid,
    input  wire             m_axis_tready
);
  localparam [6:0] ROOM = 7'd64;
  reg [28:0] to_come;
  reg [6:0] room;
  reg [6:0] outstanding;  // beats asked for that have not come
  reg [3:0] arriving;  // place of the next beat within its 128 bytes
  wire [63:0] beat;
  wire beat_valid, beat_ready, stored_ready;
  wire asked;
  wire [4:0] length;
  wire due_last = arriving == 4'd15 | to_come == 29'd1;
  // a beat that nobody asked for is flagged and must not upset the counts
  wire taken = rvalid & outstanding != 7'd0;
  wire stored = taken & ~stop;
  assign quiet = ~arvalid & outstanding == 7'd0;
  wire words_done;

  qnnc_bursts #(
      .LOOP(LOOP)
  ) bursts (
      .aclk(aclk),
      .aresetn(aresetn),
      .clear(clear),
      .begin_run(begin_run),
      .stop(stop),
      .address(address),
      .beats(beats),
      .can_ask(room >= 7'd16),
      .asked(asked),
      .length(length),
      .axaddr(araddr),
      .axlen(arlen),
      .axvalid(arvalid),
      .axready(arready)
  );

  always @(posedge aclk) begin
    complete <= ~begin_run & to_come == 29'd0 & words_done;
    bad_response <= rvalid & rresp != 2'b00;
    bad_protocol <= rvalid & (rlast != due_last | ~taken);
    if (!aresetn | clear) begin
      to_come <= 29'd0;
      room <= ROOM;
      outstanding <= 7'd0;
    end else begin
      if (begin_run) to_come <= beats;
      else if (taken) to_come <= to_come - 29'd1;
      outstanding <= outstanding + (asked ? {2'd0, length} : 7'd0) - {6'd0, taken};
      room <= room - (asked ? {2'd0, length} : 7'd0) + (beat_valid & beat_ready ? 7'd1 : 7'd0);
    end
    if (begin_run) arriving <= address[6:3];
    else if (taken) arriving <= arriving + 4'd1;
  end

  qnnc_fifo #(
      .WIDTH(64),
      .DEPTH(65)  // ROOM and the output register
  ) buffer (
      .aclk(aclk),
      .aresetn(aresetn & ~clear),
      .s_axis_tdata(rdata),
      .s_axis_tvalid(stored),
      .s_axis_tready(stored_ready),
      .m_axis_tdata(beat),
      .m_axis_tvalid(beat_valid),
      .m_axis_tready(beat_ready)
  );

  qnnc_unpack #(
      .BYTES(BYTES),
      .WIDTH(WIDTH)
  ) unpack (
      .aclk(aclk),
      .aresetn(aresetn & ~clear),
      .begin_run(begin_run),
      .units(units),
      .done(words_done),
      .s_axis_tdata(beat),
      .s_axis_tvalid(beat_valid),
      .s_axis_tready(beat_ready),
      .m_axis_tdata(m_axis_tdata),
      .m_axis_tvalid(m_axis_tvalid),
      .m_axis_tready(m_axis_tready)
  );

`ifdef QNNC_ASSERTIONS
`include "qnnc_assert.svh"
  `QNNC_ASSERT(no_overflow, ~stored | stored_ready | clear)
  `QNNC_ASSERT(room_for_burst, ~asked | room >= {2'd0, length})
  `QNNC_ASSERT(room_in_range, room <= ROOM)
`endif
endmodule
