// SPDX-License-Identifier: Apache-2.0
// A 32-bit AXI3 slave that turns bursts of any length into single reads and writes
// of registers, one at a time. It always answers OKAY: a stray access must not
// kill the process that made it. A write of less than a whole register, and any
// access outside of the 64 KB at BASE, is flagged instead of passed on; such a read
// gives 0.
//
// No output depends on an input of the same cycle. Reads and writes are taken in
// turn, every other cycle each: what a driver reads after the answer to its write
// comes after the write.
//
// `read` asks for the register at `address`; its data must be on `read_data` one
// cycle later.
module qnnc_axi_registers #(
    parameter integer IDS = 12,
    parameter [31:0] BASE = 32'h43c00000
) (
    input  wire           aclk,
    input  wire           aresetn,
    input  wire [   31:0] s_axi_awaddr,
    input  wire [    3:0] s_axi_awlen,
    input  wire [IDS-1:0] s_axi_awid,
    input  wire           s_axi_awvalid,
    output wire           s_axi_awready,
    input  wire [   31:0] s_axi_wdata,
    input  wire [    3:0] s_axi_wstrb,
    input  wire           s_axi_wlast,
    input  wire           s_axi_wvalid,
    output wire           s_axi_wready,
    output wire [    1:0] s_axi_bresp,
    output wire [IDS-1:0] s_axi_bid,
    output wire           s_axi_bvalid,
    input  wire           s_axi_bready,
    input  wire [   31:0] s_axi_araddr,
    input  wire [    3:0] s_axi_arlen,
    input  wire [IDS-1:0] s_axi_arid,
    input  wire           s_axi_arvalid,
    output wire           s_axi_arready,
    output reg  [   31:0] s_axi_rdata,
    output wire [    1:0] s_axi_rresp,
    output wire [IDS-1:0] s_axi_rid,
    output wire           s_axi_rlast,
    output wire           s_axi_rvalid,
    input  wire           s_axi_rready,
    // registers
    output reg            write,
    output reg            read,
    output reg  [   15:0] address,
    output reg  [   31:0] write_data,
    input  wire [   31:0] read_data,
    output reg            partial
);
  localparam [2:0] IDLE = 3'd0, WRITE = 3'd1, ANSWER = 3'd2, ASK = 3'd3, WAIT = 3'd4, REPLY = 3'd5;
  reg [2:0] state;
  reg [IDS-1:0] id;
  reg [3:0] beats;
  reg [15:0] next;
  reg reads, stray;

  assign s_axi_awready = state == IDLE & ~reads;
  assign s_axi_arready = state == IDLE & reads;
  assign s_axi_wready = state == WRITE;
  assign s_axi_bvalid = state == ANSWER;
  assign s_axi_bresp = 2'b00;
  assign s_axi_bid = id;
  assign s_axi_rvalid = state == REPLY;
  assign s_axi_rresp = 2'b00;
  assign s_axi_rid = id;
  assign s_axi_rlast = beats == 4'd0;

  always @(posedge aclk) begin
    write <= 1'b0;
    read <= 1'b0;
    partial <= 1'b0;
    if (!aresetn) begin
      state <= IDLE;
    end else begin
      case (state)
        IDLE:
        if (reads) begin
          if (s_axi_arvalid) state <= ASK;
        end else if (s_axi_awvalid) begin
          state <= WRITE;
        end
        WRITE:
        if (s_axi_wvalid) begin
          write <= &s_axi_wstrb & ~stray;
          partial <= |s_axi_wstrb & (stray | ~&s_axi_wstrb);
          if (s_axi_wlast) state <= ANSWER;
        end
        ANSWER: if (s_axi_bready) state <= IDLE;
        ASK: begin
          read <= ~stray;
          partial <= stray;
          state <= WAIT;
        end
        WAIT: if (!(read | partial)) state <= REPLY;
        REPLY: if (s_axi_rready) state <= beats == 4'd0 ? IDLE : ASK;
        default: state <= IDLE;
      endcase
    end
    if (!aresetn) reads <= 1'b0;
    else if (state == IDLE) reads <= ~reads;
    if (state == IDLE) begin
      id <= reads ? s_axi_arid : s_axi_awid;
      beats <= s_axi_arlen;
      next <= reads ? s_axi_araddr[15:0] : s_axi_awaddr[15:0];
      stray <= reads ? s_axi_araddr[31:16] != BASE[31:16] : s_axi_awaddr[31:16] != BASE[31:16];
    end
    if (state == WRITE & s_axi_wvalid | state == ASK) begin
      address <= next;
      write_data <= s_axi_wdata;
      next <= next + 16'd4;
    end
    if (state == WAIT) s_axi_rdata <= stray ? 32'd0 : read_data;
    if (state == REPLY & s_axi_rready) beats <= beats - 4'd1;
  end

`ifdef QNNC_ASSERTIONS
`include "qnnc_assert.svh"
  `QNNC_ASSERT_HELD(response_holds, s_axi_bvalid, s_axi_bready, {s_axi_bresp, s_axi_bid})
  `QNNC_ASSERT_HELD(read_data_holds, s_axi_rvalid, s_axi_rready,
                    {s_axi_rdata, s_axi_rresp, s_axi_rid, s_axi_rlast})
  `QNNC_ASSERT(one_access, ~(write & read))
`endif
endmodule
