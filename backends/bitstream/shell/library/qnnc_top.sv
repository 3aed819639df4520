// SPDX-License-Identifier: Apache-2.0
// The whole programmable logic of a Zynq: the shell at the processing system's
// ports. Registers are at GP0, memory is reached over HP0, the irq is
// number 0 of the fabric's, the clock is FCLK_CLK0. Ports that are not used stay
// open: the device ties them off by itself.
module qnnc_top;
  wire [3:0] clocks, resets;
  wire aclk, irq;
  wire [31:0] gp_awaddr, gp_wdata, gp_araddr, gp_rdata;
  wire [3:0] gp_awlen, gp_wstrb, gp_arlen;
  wire [11:0] gp_awid, gp_bid, gp_arid, gp_rid;
  wire [1:0] gp_bresp, gp_rresp;
  wire gp_awvalid, gp_awready, gp_wlast, gp_wvalid, gp_wready, gp_bvalid, gp_bready;
  wire gp_arvalid, gp_arready, gp_rlast, gp_rvalid, gp_rready;
  wire [31:0] hp_araddr, hp_awaddr;
  wire [3:0] hp_arlen, hp_awlen;
  wire [5:0] hp_arid, hp_rid, hp_awid, hp_wid, hp_bid;
  wire [63:0] hp_rdata, hp_wdata;
  wire [7:0] hp_wstrb;
  wire [1:0] hp_rresp, hp_bresp;
  wire hp_arvalid, hp_arready, hp_rlast, hp_rvalid, hp_rready;
  wire hp_awvalid, hp_awready, hp_wlast, hp_wvalid, hp_wready, hp_bvalid, hp_bready;

  BUFG clock_buffer (
      .I(clocks[0]),
      .O(aclk)
  );

  (* keep *)
  PS7 processing_system (
      .FCLKCLK(clocks),
      .FCLKRESETN(resets),
      .IRQF2P({19'd0, irq}),
      .MAXIGP0ACLK(aclk),
      .MAXIGP0AWADDR(gp_awaddr),
      .MAXIGP0AWLEN(gp_awlen),
      .MAXIGP0AWID(gp_awid),
      .MAXIGP0AWVALID(gp_awvalid),
      .MAXIGP0AWREADY(gp_awready),
      .MAXIGP0WDATA(gp_wdata),
      .MAXIGP0WSTRB(gp_wstrb),
      .MAXIGP0WLAST(gp_wlast),
      .MAXIGP0WVALID(gp_wvalid),
      .MAXIGP0WREADY(gp_wready),
      .MAXIGP0BRESP(gp_bresp),
      .MAXIGP0BID(gp_bid),
      .MAXIGP0BVALID(gp_bvalid),
      .MAXIGP0BREADY(gp_bready),
      .MAXIGP0ARADDR(gp_araddr),
      .MAXIGP0ARLEN(gp_arlen),
      .MAXIGP0ARID(gp_arid),
      .MAXIGP0ARVALID(gp_arvalid),
      .MAXIGP0ARREADY(gp_arready),
      .MAXIGP0RDATA(gp_rdata),
      .MAXIGP0RRESP(gp_rresp),
      .MAXIGP0RID(gp_rid),
      .MAXIGP0RLAST(gp_rlast),
      .MAXIGP0RVALID(gp_rvalid),
      .MAXIGP0RREADY(gp_rready),
      .SAXIHP0ACLK(aclk),
      .SAXIHP0ARADDR(hp_araddr),
      .SAXIHP0ARLEN(hp_arlen),
      .SAXIHP0ARSIZE(2'b11),
      .SAXIHP0ARBURST(2'b01),
      .SAXIHP0ARCACHE(4'b0011),
      .SAXIHP0ARID(hp_arid),
      .SAXIHP0ARVALID(hp_arvalid),
      .SAXIHP0ARREADY(hp_arready),
      .SAXIHP0RDATA(hp_rdata),
      .SAXIHP0RRESP(hp_rresp),
      .SAXIHP0RID(hp_rid),
      .SAXIHP0RLAST(hp_rlast),
      .SAXIHP0RVALID(hp_rvalid),
      .SAXIHP0RREADY(hp_rready),
      .SAXIHP0AWADDR(hp_awaddr),
      .SAXIHP0AWLEN(hp_awlen),
      .SAXIHP0AWSIZE(2'b11),
      .SAXIHP0AWBURST(2'b01),
      .SAXIHP0AWCACHE(4'b0011),
      .SAXIHP0AWID(hp_awid),
      .SAXIHP0AWVALID(hp_awvalid),
      .SAXIHP0AWREADY(hp_awready),
      .SAXIHP0WDATA(hp_wdata),
      .SAXIHP0WSTRB(hp_wstrb),
      .SAXIHP0WID(hp_wid),
      .SAXIHP0WLAST(hp_wlast),
      .SAXIHP0WVALID(hp_wvalid),
      .SAXIHP0WREADY(hp_wready),
      .SAXIHP0BRESP(hp_bresp),
      .SAXIHP0BID(hp_bid),
      .SAXIHP0BVALID(hp_bvalid),
      .SAXIHP0BREADY(hp_bready)
  );

  qnnc_shell shell (
      .aclk(aclk),
      .resetn(resets[0]),
      .*
  );
endmodule
