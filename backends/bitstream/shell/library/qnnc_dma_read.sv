// SPDX-License-Identifier: Apache-2.0
// Reads a batch from memory into a stream: bursts of up to 16 beats of 8 bytes
// that end at multiples of 128 bytes, as many outstanding as the buffer has
// room for, so that it never keeps the bus waiting. With LOOP, the batch is the
// same LOOP bytes over and over; they and their address are multiples of 128.
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
    output reg  [     31:0] araddr,
    output reg  [      3:0] arlen,
    output reg              arvalid,
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
  localparam integer ROOM = 64;
  reg [28:0] to_ask, to_come;
  reg [6:0] room;
  reg [6:0] outstanding;  // beats asked for that have not come
  reg [3:0] arriving;  // place of the next beat within its 128 bytes
  reg prepared;
  reg [28:0] ask_next;
  reg [31:0] address_next, loop_end;
  wire again = LOOP != 32'd0 & address_next[31:7] == loop_end[31:7];
  wire [3:0] until_boundary = ~araddr[6:3];
  wire [63:0] beat;
  wire beat_valid, beat_ready;
  wire asked = arvalid & arready;
  wire [4:0] length = {1'b0, arlen} + 5'd1;
  wire due_last = arriving == 4'd15 | to_come == 29'd1;
  // what nobody asked for is flagged, and must not upset the counts
  wire taken = rvalid & outstanding != 7'd0;
  assign quiet = ~arvalid & outstanding == 7'd0;
  wire words_done;

  always @(posedge aclk) begin
    complete <= ~begin_run & to_come == 29'd0 & words_done;
    bad_response <= rvalid & rresp != 2'b00;
    bad_protocol <= rvalid & (rlast != due_last | ~taken);
    if (!aresetn | clear) begin
      arvalid <= 1'b0;
      prepared <= 1'b0;
      to_ask <= 29'd0;
      to_come <= 29'd0;
      room <= ROOM;
      outstanding <= 7'd0;
    end else begin
      if (begin_run) begin
        to_ask  <= beats;
        to_come <= beats;
      end else begin
        if (asked) to_ask <= ask_next;
        if (taken) to_come <= to_come - 29'd1;
      end
      if (asked) begin
        arvalid  <= 1'b0;
        prepared <= 1'b0;
      end else if (prepared & ~arvalid & ~stop & room >= 7'd16) begin
        arvalid <= 1'b1;
      end else if (~prepared & to_ask != 29'd0 & ~begin_run) begin
        prepared <= 1'b1;
      end
      outstanding <= outstanding + (asked ? {2'd0, length} : 7'd0) - {6'd0, taken};
      room <= room - (asked ? {2'd0, length} : 7'd0) + (beat_valid & beat_ready ? 7'd1 : 7'd0);
    end
    if (begin_run) begin
      araddr   <= address;
      arriving <= address[6:3];
    end else begin
      if (asked) araddr <= again ? address : address_next;
      if (taken) arriving <= arriving + 4'd1;
    end
    // one step ahead, so that no adder lies behind the bus
    ask_next <= to_ask - {24'd0, length};
    loop_end <= address + LOOP;
    address_next <= araddr + {24'd0, length, 3'b000};
    if (~arvalid)
      arlen <= to_ask > {25'd0, until_boundary} ? until_boundary : to_ask[3:0] - 4'd1;
  end

  qnnc_fifo #(
      .WIDTH(64),
      .DEPTH(ROOM + 1)
  ) buffer (
      .aclk(aclk),
      .aresetn(aresetn & ~clear),
      .s_axis_tdata(rdata),
      .s_axis_tvalid(taken & ~stop),
      .s_axis_tready(),
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
endmodule
