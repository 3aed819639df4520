// SPDX-License-Identifier: Apache-2.0
// Splits a batch of `beats` beats of 8 bytes from `address` on into bursts of up to
// 16 beats that end at multiples of 128 bytes, so that none crosses 4 KB, and puts
// them on an AXI address channel. A burst of `length` beats is announced once
// `can_ask` says that there is room for it or that its data is there.
//
// With LOOP, the batch is the same LOOP bytes over and over; they and their address
// are multiples of 128.
module qnnc_bursts #(
    parameter [31:0] LOOP = 32'd0
) (
    input  wire        aclk,
    input  wire        aresetn,
    input  wire        clear,
    input  wire        begin_run,
    input  wire        stop,
    input  wire [31:0] address,
    input  wire [28:0] beats,
    input  wire        can_ask,
    output wire        asked,      // the bus takes the burst
    output wire [ 4:0] length,
    // address channel
    output reg  [31:0] axaddr,
    output reg  [ 3:0] axlen,
    output reg         axvalid,
    input  wire        axready
);
  reg [28:0] to_ask, ask_next;
  reg [31:0] address_next;
  reg [24:0] loop_end;
  reg prepared;
  wire again = LOOP != 32'd0 & address_next[31:7] == loop_end;
  wire [3:0] until_boundary = ~axaddr[6:3];
  assign asked  = axvalid & axready;
  assign length = {1'b0, axlen} + 5'd1;

  always @(posedge aclk) begin
    if (!aresetn | clear) begin
      axvalid <= 1'b0;
      prepared <= 1'b0;
      to_ask <= 29'd0;
    end else begin
      if (begin_run) to_ask <= beats;
      else if (asked) to_ask <= ask_next;
      if (asked) begin
        axvalid  <= 1'b0;
        prepared <= 1'b0;
      end else if (prepared & ~axvalid & ~stop & can_ask) begin
        axvalid <= 1'b1;
      end else if (~prepared & to_ask != 29'd0 & ~begin_run) begin
        prepared <= 1'b1;
      end
    end
    if (begin_run) axaddr <= address;
    else if (asked) axaddr <= again ? address : address_next;
    // one step ahead, so that there is no adder after the bus
    ask_next <= to_ask - {24'd0, length};
    loop_end <= address[31:7] + LOOP[31:7];
    address_next <= axaddr + {24'd0, length, 3'b000};
    if (~axvalid)
      axlen <= to_ask > {25'd0, until_boundary} ? until_boundary : to_ask[3:0] - 4'd1;
  end

`ifdef QNNC_ASSERTIONS
`include "qnnc_assert.svh"
  `QNNC_ASSERT(ends_at_boundary, ~axvalid | {1'b0, axaddr[6:3]} + {1'b0, axlen} <= 5'd15)
  `QNNC_ASSERT_HELD(address_holds, axvalid, axready, {axaddr, axlen})
`endif
endmodule
