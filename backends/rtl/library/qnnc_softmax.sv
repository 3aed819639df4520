// SPDX-License-Identifier: Apache-2.0
// Codes of a softmax over vectors of WORDS words of PE codes, in three passes over a
// vector, each of which works on a vector of its own: the greatest code is found;
// terms come from a table by their distance from it and are summed; scaled terms are
// divided by the sum. FIFOs of WAITS words keep a vector between the passes.
//
// INIT_FILE has rows for DISTANCES distances and, up to a power of two, some that are
// only read where there is no code. A row has a term of TERM bits, and above it the
// scaled term of SCALED bits. A code is floor((2 * scaled + ROUNDING * sum) / (2 * sum)),
// at most MOST, plus BASE.
module qnnc_softmax #(
    parameter integer PE = 1,
    parameter integer WORDS = 8,
    parameter integer WAITS = 24,
    parameter integer VECTORS = 5,
    parameter integer X_BITS = 4,
    parameter integer X_SIGNED = 1,
    parameter integer DISTANCES = 16,
    parameter integer TERM = 23,
    parameter integer SCALED = 27,
    parameter integer SUM = 26,
    parameter integer QUOTIENT = 4,
    parameter integer ROUNDING = 1,
    parameter integer MOST = 15,
    parameter integer BASE = 0,
    parameter integer OUT_BITS = 4,
    parameter INIT_FILE = ""
) (
    input  wire                   aclk,
    input  wire                   aresetn,
    input  wire [  PE*X_BITS-1:0] s_axis_tdata,
    input  wire                   s_axis_tvalid,
    output wire                   s_axis_tready,
    output wire [PE*OUT_BITS-1:0] m_axis_tdata,
    output wire                   m_axis_tvalid,
    input  wire                   m_axis_tready
);
  localparam integer ABITS = DISTANCES > 1 ? $clog2(DISTANCES) : 1;
  genvar i;

  // first pass: codes whose order is that of unsigned numbers, and the greatest
  wire [PE*X_BITS-1:0] flip = X_SIGNED != 0 ? {PE{1'b1, {X_BITS - 1{1'b0}}}} : {PE * X_BITS{1'b0}};
  wire given, taken, words_ready, greatest_ready, word_last;
  wire [PE*X_BITS-1:0] codes;
  qnnc_register_slice #(
      .WIDTH(PE * X_BITS)
  ) slice (
      .aclk(aclk),
      .aresetn(aresetn),
      .s_axis_tdata(s_axis_tdata ^ flip),
      .s_axis_tvalid(s_axis_tvalid),
      .s_axis_tready(s_axis_tready),
      .m_axis_tdata(codes),
      .m_axis_tvalid(given),
      .m_axis_tready(taken)
  );
  assign taken = given & words_ready & greatest_ready;
  reg [X_BITS-1:0] so_far, greatest;
  integer j;
  always @* begin
    greatest = so_far;
    for (j = 0; j < PE; j = j + 1)
      if (codes[j*X_BITS+:X_BITS] > greatest) greatest = codes[j*X_BITS+:X_BITS];
  end
  always @(posedge aclk)
    if (!aresetn) so_far <= {X_BITS{1'b0}};
    else if (taken) so_far <= word_last ? {X_BITS{1'b0}} : greatest;
  qnnc_counter #(
      .COUNT(WORDS)
  ) words_in (
      .aclk(aclk),
      .aresetn(aresetn),
      .advance(taken),
      .last(word_last)
  );
  wire [PE*X_BITS-1:0] held;
  wire [X_BITS-1:0] top;
  wire held_valid, top_valid, look, look_last;
  qnnc_fifo #(
      .WIDTH(PE * X_BITS),
      .DEPTH(WAITS)
  ) words (
      .aclk(aclk),
      .aresetn(aresetn),
      .s_axis_tdata(codes),
      .s_axis_tvalid(taken),
      .s_axis_tready(words_ready),
      .m_axis_tdata(held),
      .m_axis_tvalid(held_valid),
      .m_axis_tready(look)
  );
  qnnc_fifo #(
      .WIDTH(X_BITS),
      .DEPTH(VECTORS)
  ) tops (
      .aclk(aclk),
      .aresetn(aresetn),
      .s_axis_tdata(greatest),
      .s_axis_tvalid(taken & word_last),
      .s_axis_tready(greatest_ready),
      .m_axis_tdata(top),
      .m_axis_tvalid(top_valid),
      .m_axis_tready(look & look_last)
  );

  // second pass: distance, table, sum
  wire room, looked, summed, summed_last;
  assign look = held_valid & top_valid & room;
  qnnc_counter #(
      .COUNT(WORDS)
  ) words_looked (
      .aclk(aclk),
      .aresetn(aresetn),
      .advance(look),
      .last(look_last)
  );
  wire [PE*TERM-1:0] terms;
  wire [PE*SCALED-1:0] scaled;
  generate
    for (i = 0; i < PE; i = i + 1) begin : table_
      reg [X_BITS-1:0] distance;
      always @(posedge aclk) distance <= top - held[i*X_BITS+:X_BITS];
      wire [SCALED+TERM-1:0] row;
      qnnc_rom #(
          .WIDTH(SCALED + TERM),
          .DEPTH(1 << ABITS),
          .ABITS(ABITS),
          .STYLE(0),
          .OUTPUT_REGISTER(1),
          .INIT_FILE(INIT_FILE)
      ) rom (
          .aclk(aclk),
          .address(ABITS'(distance)),
          .data(row)
      );
      assign {scaled[i*SCALED+:SCALED], terms[i*TERM+:TERM]} = row;
    end
  endgenerate
  qnnc_flag_delay #(
      .CYCLES(3)
  ) looked_delay (
      .aclk(aclk),
      .aresetn(aresetn),
      .in(look),
      .out(looked)
  );
  qnnc_flag_delay #(
      .CYCLES(4)
  ) summed_delay (
      .aclk(aclk),
      .aresetn(aresetn),
      .in(look),
      .out(summed)
  );
  qnnc_flag_delay #(
      .CYCLES(4)
  ) summed_last_delay (
      .aclk(aclk),
      .aresetn(aresetn),
      .in(look & look_last),
      .out(summed_last)
  );
  reg [SUM-1:0] word_sum, word_total, begun;
  integer k;
  always @* begin
    word_total = {SUM{1'b0}};
    for (k = 0; k < PE; k = k + 1) word_total = word_total + SUM'(terms[k*TERM+:TERM]);
  end
  wire [SUM-1:0] total = begun + word_sum;
  always @(posedge aclk) begin
    word_sum <= word_total;
    if (!aresetn) begun <= {SUM{1'b0}};
    else if (summed) begun <= summed_last ? {SUM{1'b0}} : total;
  end
  wire [PE*SCALED-1:0] above;
  wire [SUM-1:0] below;
  wire scaled_ready, sums_ready;
  wire above_valid, below_valid, divide, divide_last;
  qnnc_credit #(
      .COUNT(WAITS)
  ) credit (
      .aclk(aclk),
      .aresetn(aresetn),
      .take(look),
      .give(divide),
      .available(room)
  );
  qnnc_fifo #(
      .WIDTH(PE * SCALED),
      .DEPTH(WAITS)
  ) numerators (
      .aclk(aclk),
      .aresetn(aresetn),
      .s_axis_tdata(scaled),
      .s_axis_tvalid(looked),
      .s_axis_tready(scaled_ready),
      .m_axis_tdata(above),
      .m_axis_tvalid(above_valid),
      .m_axis_tready(divide)
  );
  qnnc_fifo #(
      .WIDTH(SUM),
      .DEPTH(VECTORS)
  ) sums (
      .aclk(aclk),
      .aresetn(aresetn),
      .s_axis_tdata(total),
      .s_axis_tvalid(summed_last),
      .s_axis_tready(sums_ready),
      .m_axis_tdata(below),
      .m_axis_tvalid(below_valid),
      .m_axis_tready(divide & divide_last)
  );

  // third pass: quotients
  localparam integer DEPTH = QUOTIENT + 6;
  wire output_room, divided, popped;
  assign divide = above_valid & below_valid & output_room;
  qnnc_counter #(
      .COUNT(WORDS)
  ) words_divided (
      .aclk(aclk),
      .aresetn(aresetn),
      .advance(divide),
      .last(divide_last)
  );
  wire [PE*OUT_BITS-1:0] results;
  generate
    for (i = 0; i < PE; i = i + 1) begin : lane
      wire [QUOTIENT-1:0] quotient;
      qnnc_divide #(
          .SCALED(SCALED),
          .SUM(SUM),
          .QUOTIENT(QUOTIENT),
          .ROUNDING(ROUNDING)
      ) divider (
          .aclk(aclk),
          .scaled(above[i*SCALED+:SCALED]),
          .sum(below),
          .quotient(quotient)
      );
      reg [OUT_BITS-1:0] code;
      always @(posedge aclk)
        code <= 32'(quotient) > MOST ? OUT_BITS'(MOST + BASE) : OUT_BITS'(32'(quotient) + BASE);
      assign results[i*OUT_BITS+:OUT_BITS] = code;
    end
  endgenerate
  qnnc_flag_delay #(
      .CYCLES(QUOTIENT + 2)
  ) divided_delay (
      .aclk(aclk),
      .aresetn(aresetn),
      .in(divide),
      .out(divided)
  );
  qnnc_credit #(
      .COUNT(DEPTH)
  ) output_credit (
      .aclk(aclk),
      .aresetn(aresetn),
      .take(divide),
      .give(popped),
      .available(output_room)
  );
  qnnc_output_fifo #(
      .WIDTH(PE * OUT_BITS),
      .DEPTH(DEPTH)
  ) output_fifo (
      .aclk(aclk),
      .aresetn(aresetn),
      .push(divided),
      .push_data(results),
      .popped(popped),
      .m_axis_tdata(m_axis_tdata),
      .m_axis_tvalid(m_axis_tvalid),
      .m_axis_tready(m_axis_tready)
  );

`ifdef QNNC_ASSERTIONS
`include "qnnc_assert.svh"
  `QNNC_ASSERT(numerators_have_room, ~looked | scaled_ready)
  `QNNC_ASSERT(sums_have_room, ~summed_last | sums_ready)
`endif
endmodule
