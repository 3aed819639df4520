// SPDX-License-Identifier: Apache-2.0
// A master that sends whatever it likes, and answers whenever it likes.
module proof (
    input wire aclk,
    input wire [31:0] awaddr,
    input wire [1:0] awid,
    input wire awvalid,
    input wire [3:0] wstrb,
    input wire wlast,
    input wire wvalid,
    input wire bready,
    input wire [31:0] araddr,
    input wire [1:0] arid,
    input wire [3:0] arlen,
    input wire arvalid,
    input wire rready,
    input wire [31:0] read_data
);
  reg aresetn = 1'b0;
  always @(posedge aclk) aresetn <= 1'b1;
  wire awready, arready, wready, bvalid, rvalid, rlast, write, read, partial;
  wire [1:0] bresp, rresp, bid, rid;
  qnnc_axi_registers #(
      .IDS(2)
  ) dut (
      .aclk(aclk),
      .aresetn(aresetn),
      .s_axi_awaddr(awaddr),
      .s_axi_awlen(4'd0),
      .s_axi_awid(awid),
      .s_axi_awvalid(awvalid),
      .s_axi_awready(awready),
      .s_axi_wdata(32'd0),
      .s_axi_wstrb(wstrb),
      .s_axi_wlast(wlast),
      .s_axi_wvalid(wvalid),
      .s_axi_wready(wready),
      .s_axi_bresp(bresp),
      .s_axi_bid(bid),
      .s_axi_bvalid(bvalid),
      .s_axi_bready(bready),
      .s_axi_araddr(araddr),
      .s_axi_arlen(arlen),
      .s_axi_arid(arid),
      .s_axi_arvalid(arvalid),
      .s_axi_arready(arready),
      .s_axi_rdata(),
      .s_axi_rresp(rresp),
      .s_axi_rid(rid),
      .s_axi_rlast(rlast),
      .s_axi_rvalid(rvalid),
      .s_axi_rready(rready),
      .write(write),
      .read(read),
      .address(),
      .write_data(),
      .read_data(read_data),
      .partial(partial)
  );
  reg [4:0] owed;  // beats of the burst of reads that is under way
  reg writing;  // a burst of writes has no answer yet
  always @(posedge aclk)
    if (!aresetn) begin
      owed <= 5'd0;
      writing <= 1'b0;
    end else begin
      if (arvalid & arready) owed <= arlen + 5'd1;
      else if (rvalid & rready) owed <= owed - 5'd1;
      if (awvalid & awready) writing <= 1'b1;
      else if (bvalid & bready) writing <= 1'b0;
      always_okay : assert (bresp == 2'b00 & rresp == 2'b00);
      answers_only_what_was_asked : assert ((~bvalid | writing) & (~rvalid | owed != 5'd0));
      last_is_last : assert (~rvalid | rlast == (owed == 5'd1));
      one_burst : assert (~writing | owed == 5'd0);
    end
endmodule
