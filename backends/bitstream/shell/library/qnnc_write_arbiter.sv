// SPDX-License-Identifier: Apache-2.0
// Several writers on one set of write channels; a writer's number is its AXI ID.
// Bursts are announced round-robin, and their data follows in the same order.
module qnnc_write_arbiter #(
    parameter integer N = 2,
    parameter integer BURSTS = 17  // announced at most whose data has not been sent
) (
    input  wire            aclk,
    input  wire            aresetn,
    input  wire [N*32-1:0] s_awaddr,
    input  wire [ N*4-1:0] s_awlen,
    input  wire [   N-1:0] s_awvalid,
    output wire [   N-1:0] s_awready,
    input  wire [N*64-1:0] s_wdata,
    input  wire [ N*8-1:0] s_wstrb,
    input  wire [   N-1:0] s_wlast,
    input  wire [   N-1:0] s_wvalid,
    output wire [   N-1:0] s_wready,
    output wire [   N-1:0] s_bvalid,
    output wire            stray,
    output wire [    31:0] m_awaddr,
    output wire [     3:0] m_awlen,
    output wire [     5:0] m_awid,
    output wire            m_awvalid,
    input  wire            m_awready,
    output wire [    63:0] m_wdata,
    output wire [     7:0] m_wstrb,
    output wire [     5:0] m_wid,
    output wire            m_wlast,
    output wire            m_wvalid,
    input  wire            m_wready,
    input  wire [     5:0] m_bid,
    input  wire            m_bvalid
);
  assign stray = m_bvalid & {1'b0, m_bid} >= 7'(N);
  genvar i;
  generate
    for (i = 0; i < N; i = i + 1) begin : writer
      assign s_bvalid[i] = m_bvalid & m_bid == i;
    end
    if (N == 1) begin : one
      assign m_awaddr = s_awaddr;
      assign m_awlen = s_awlen;
      assign m_awid = 6'd0;
      assign m_awvalid = s_awvalid;
      assign s_awready = m_awready;
      assign m_wdata = s_wdata;
      assign m_wstrb = s_wstrb;
      assign m_wid = 6'd0;
      assign m_wlast = s_wlast;
      assign m_wvalid = s_wvalid;
      assign s_wready = m_wready;
    end else begin : several
      localparam integer TBITS = $clog2(N);
      reg [TBITS-1:0] turn;
      wire room, busy;
      wire [TBITS-1:0] owner;
      wire asked = m_awvalid & m_awready;
      assign m_awaddr = s_awaddr[32*turn+:32];
      assign m_awlen = s_awlen[4*turn+:4];
      assign m_awid = 6'(turn);
      assign m_awvalid = s_awvalid[turn] & room;
      assign m_wdata = s_wdata[64*owner+:64];
      assign m_wstrb = s_wstrb[8*owner+:8];
      assign m_wid = 6'(owner);
      assign m_wlast = s_wlast[owner];
      assign m_wvalid = busy & s_wvalid[owner];
      for (i = 0; i < N; i = i + 1) begin : writer
        assign s_awready[i] = asked & turn == i;
        assign s_wready[i] = busy & m_wready & owner == i;
      end
      always @(posedge aclk)
        if (!aresetn) turn <= {TBITS{1'b0}};
        else if (~m_awvalid | m_awready)
          turn <= turn == TBITS'(N - 1) ? {TBITS{1'b0}} : turn + 1'b1;

      // whose data is next; bursts come with all of their data, so none waits long
      qnnc_fifo #(
          .WIDTH(TBITS),
          .DEPTH(BURSTS)
      ) order (
          .aclk(aclk),
          .aresetn(aresetn),
          .s_axis_tdata(turn),
          .s_axis_tvalid(asked),
          .s_axis_tready(room),
          .m_axis_tdata(owner),
          .m_axis_tvalid(busy),
          .m_axis_tready(m_wvalid & m_wready & m_wlast)
      );
    end
  endgenerate

`ifdef QNNC_ASSERTIONS
`include "qnnc_assert.svh"
  `QNNC_ASSERT_AT_MOST_ONE(one_grant, s_awready)
  `QNNC_ASSERT_AT_MOST_ONE(one_sender, s_wready)
  `QNNC_ASSERT_AT_MOST_ONE(one_receiver, s_bvalid)
  `QNNC_ASSERT_HELD(address_holds, m_awvalid, m_awready, {m_awaddr, m_awlen, m_awid})
  `QNNC_ASSERT_HELD(data_holds, m_wvalid, m_wready, {m_wdata, m_wstrb, m_wid, m_wlast})
`endif
endmodule
