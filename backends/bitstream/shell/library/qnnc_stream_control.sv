// SPDX-License-Identifier: Apache-2.0
// The registers of one stream, at 0x40 + 0x20 * INDEX, and the check of its
// buffer before a run.
//
//   +0x00 address    +0x04 size of the buffer, bytes    +0x08 bytes per frame
//   +0x0c cycles in which the receiver waited for a word
//   +0x10 cycles in which a word waited for the receiver
//
// A word of the stream takes BYTES bytes in memory: 1, 2, 4 or a multiple of 8. A
// unit is a word, or 8 bytes of a longer one. A buffer of LOOP bytes is read over
// and over; it begins at a multiple of 128.
module qnnc_stream_control #(
    parameter integer INDEX = 0,
    parameter integer BYTES = 1,
    parameter integer WORDS = 1,
    parameter [31:0] LOOP = 32'd0,
    parameter [32:0] LOW = 33'h000100000,
    parameter [32:0] TOP = 33'h020000000
) (
    input  wire        aclk,
    input  wire        aresetn,
    input  wire        write,
    input  wire [15:0] offset,
    input  wire [31:0] write_data,
    output reg  [31:0] read_data,
    output wire        selected,
    input  wire        idle,
    input  wire        clear,
    input  wire        measure,
    input  wire        measure_bit,
    input  wire        running,
    input  wire        tvalid,
    input  wire        tready,
    output reg         frame_done,
    output reg  [31:0] address,
    output reg  [31:0] units,
    output reg  [28:0] beats,
    output wire [ 2:0] bad
);
  localparam integer UNIT_SHIFT = BYTES >= 8 ? 3 : BYTES == 4 ? 2 : BYTES == 2 ? 1 : 0;
  localparam integer UNITS = BYTES > 8 ? WORDS * (BYTES / 8) : WORDS;
  localparam [10:0] BASE = 11'(INDEX + 2);
  localparam [31:0] FRAME_BYTES = WORDS * BYTES;
  reg [31:0] size, starved, blocked, word;
  wire moved = tvalid & tready;
  reg overflow, too_long, unaligned, short_buffer, outside;
  reg [32:0] last;
  assign selected = offset[15:5] == BASE & offset[4:2] < 3'd5;
  assign bad = {outside, short_buffer, unaligned};

  // units = frames * UNITS, one bit of frames per cycle
  wire [33:0] doubled = {1'b0, units, 1'b0} + (measure_bit ? {2'd0, UNITS[31:0]} : 34'd0);
  wire [35:0] bytes_long = {4'd0, units} << UNIT_SHIFT;
  wire [32:0] beats_long = 33'((bytes_long + 36'd7) >> 3);

  always @(posedge aclk) begin
    if (clear) begin
      units <= 32'd0;
      overflow <= 1'b0;
    end else if (measure) begin
      units <= doubled[31:0];
      overflow <= overflow | (|doubled[33:32]);
    end
    beats <= beats_long[28:0];
    too_long <= overflow | (|beats_long[32:29]);
    last <= {1'b0, address} + (LOOP != 32'd0 ? {1'b0, LOOP} : {1'b0, beats, 3'b000});
    unaligned <= |address[2:0] | LOOP != 32'd0 & |address[6:3];
    short_buffer <= too_long | (LOOP != 32'd0 ? LOOP : {beats, 3'b000}) > size;
    outside <= {1'b0, address} < LOW | last > TOP;
    if (write & selected & idle) begin
      if (offset[4:2] == 3'd0) address <= write_data;
      if (offset[4:2] == 3'd1) size <= write_data;
    end
    if (clear) begin
      starved <= 32'd0;
      blocked <= 32'd0;
    end else if (running) begin
      if (tready & ~tvalid) starved <= starved + 32'd1;
      if (tvalid & ~tready) blocked <= blocked + 32'd1;
    end
    frame_done <= running & moved & word == WORDS - 1;
    if (clear) word <= 32'd0;
    else if (moved) word <= word == WORDS - 1 ? 32'd0 : word + 32'd1;
    if (!aresetn) begin
      address <= 32'd0;
      size <= 32'd0;
    end
    case (offset[4:2])
      3'd0: read_data <= address;
      3'd1: read_data <= size;
      3'd2: read_data <= FRAME_BYTES;
      3'd3: read_data <= starved;
      default: read_data <= blocked;
    endcase
    if (!selected) read_data <= 32'd0;
  end
endmodule
