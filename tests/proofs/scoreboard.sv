// SPDX-License-Identifier: Apache-2.0
// What goes into a buffer comes out of it: nothing is lost, doubled, changed or out
// of order. Units of WIDTH bits go in PUSHED at a time and come out POPPED at a time.
// One unit is chosen freely (`mark`, `which`), and its place in the queue followed;
// as the choice is free, what holds for it holds for all.
module scoreboard #(
    parameter integer WIDTH = 1,
    parameter integer PUSHED = 1,
    parameter integer POPPED = 1,
    parameter integer CAPACITY = 4,  // units
    parameter integer PROMPT = 1,    // whether the buffer alone decides when it takes and offers
    parameter integer PATIENCE = 3   // cycles within which it offers a word that is there
) (
    input wire aclk,
    input wire aresetn,
    input wire mark,
    input wire [3:0] which,
    input wire push_valid,
    input wire push_ready,
    input wire [PUSHED*WIDTH-1:0] push_data,
    input wire pop_valid,
    input wire pop_ready,
    input wire [POPPED*WIDTH-1:0] pop_data,
    output reg [$clog2(CAPACITY+PUSHED+1)-1:0] count
);
  localparam integer BITS = $clog2(CAPACITY + PUSHED + 1);
  reg [BITS-1:0] ahead;
  reg [$clog2(PATIENCE+2)-1:0] waited;
  reg marked, passed;
  reg [WIDTH-1:0] unit;
  wire push = push_valid & push_ready, pop = pop_valid & pop_ready;
  wire [BITS-1:0] left = count - (pop ? POPPED : 0);
  always @(posedge aclk)
    if (!aresetn) begin
      count <= 0;
      waited <= 0;
      marked <= 0;
      passed <= 0;
    end else begin
      count <= left + (push ? PUSHED : 0);
      waited <= count >= POPPED & ~pop_valid ? waited + 1 : 0;
      if (push & mark & ~marked & which < PUSHED) begin
        marked <= 1;
        unit <= push_data[which*WIDTH+:WIDTH];
        ahead <= left + which;
      end else if (marked & pop & ~passed) begin
        if (ahead < POPPED) passed <= 1;
        else ahead <= ahead - POPPED;
      end
      within_capacity : assert (count <= CAPACITY);
      takes_when_empty : assert (PROMPT == 0 | push_ready | count != 0);
      nothing_from_nothing : assert (~pop_valid | count >= POPPED);
      offers_what_is_there : assert (PROMPT == 0 | waited <= PATIENCE);
      if (marked & pop & ~passed & ahead < POPPED)
        same_and_in_order : assert (pop_data[ahead*WIDTH+:WIDTH] == unit);
    end
endmodule
