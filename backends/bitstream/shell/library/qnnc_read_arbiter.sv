// SPDX-License-Identifier: Apache-2.0
// Several readers on one read channel; a reader's number is its AXI ID. Bursts are
// granted round-robin; data goes where its ID says, in any order.
module qnnc_read_arbiter #(
    parameter integer N = 2
) (
    input  wire            aclk,
    input  wire            aresetn,
    input  wire [N*32-1:0] s_araddr,
    input  wire [ N*4-1:0] s_arlen,
    input  wire [   N-1:0] s_arvalid,
    output wire [   N-1:0] s_arready,
    output wire [   N-1:0] s_rvalid,
    output wire            stray,
    output wire [    31:0] m_araddr,
    output wire [     3:0] m_arlen,
    output wire [     5:0] m_arid,
    output wire            m_arvalid,
    input  wire            m_arready,
    input  wire [     5:0] m_rid,
    input  wire            m_rvalid
);
  assign stray = m_rvalid & {1'b0, m_rid} >= 7'(N);
  genvar i;
  generate
    for (i = 0; i < N; i = i + 1) begin : reader
      assign s_rvalid[i] = m_rvalid & m_rid == i;
      assign s_arready[i] = m_arready & m_arvalid & m_arid == i;
    end
    if (N == 1) begin : one
      assign m_araddr = s_araddr;
      assign m_arlen = s_arlen;
      assign m_arid = 6'd0;
      assign m_arvalid = s_arvalid;
    end else begin : several
      localparam integer TBITS = $clog2(N);
      reg [TBITS-1:0] turn;
      assign m_araddr = s_araddr[32*turn+:32];
      assign m_arlen = s_arlen[4*turn+:4];
      assign m_arid = 6'(turn);
      assign m_arvalid = s_arvalid[turn];
      // a burst on offer stays until it is taken
      always @(posedge aclk)
        if (!aresetn) turn <= {TBITS{1'b0}};
        else if (~m_arvalid | m_arready)
          turn <= turn == TBITS'(N - 1) ? {TBITS{1'b0}} : turn + 1'b1;
    end
  endgenerate

`ifdef QNNC_ASSERTIONS
`include "qnnc_assert.svh"
  `QNNC_ASSERT_AT_MOST_ONE(one_grant, s_arready)
  `QNNC_ASSERT_AT_MOST_ONE(one_receiver, s_rvalid)
  `QNNC_ASSERT_HELD(address_holds, m_arvalid, m_arready, {m_araddr, m_arlen, m_arid})
`endif
endmodule
