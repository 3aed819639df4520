// SPDX-License-Identifier: Apache-2.0
// Three writers that hold what they offer: data leaves in the order of the bursts.
module proof (
    input wire aclk,
    input wire [2:0] want,
    input wire [2:0] data,
    input wire [2:0] last,
    input wire ready,
    input wire data_ready,
    input wire mark,
    input wire [5:0] bid,
    input wire bvalid
);
  reg aresetn = 1'b0;
  always @(posedge aclk) aresetn <= 1'b1;
  reg [2:0] valid, data_valid, wlast;
  wire [2:0] taken, data_taken, to;
  wire [5:0] id, data_id;
  wire offered, data_offered, data_last, stray;
  qnnc_write_arbiter #(
      .N(3),
      .BURSTS(3)
  ) dut (
      .aclk(aclk),
      .aresetn(aresetn),
      .s_awaddr(96'd0),
      .s_awlen(12'd0),
      .s_awvalid(valid),
      .s_awready(taken),
      .s_wdata(192'd0),
      .s_wstrb(24'd0),
      .s_wlast(wlast),
      .s_wvalid(data_valid),
      .s_wready(data_taken),
      .s_bvalid(to),
      .stray(stray),
      .m_awaddr(),
      .m_awlen(),
      .m_awid(id),
      .m_awvalid(offered),
      .m_awready(ready),
      .m_wdata(),
      .m_wstrb(),
      .m_wid(data_id),
      .m_wlast(data_last),
      .m_wvalid(data_offered),
      .m_wready(data_ready),
      .m_bid(bid),
      .m_bvalid(bvalid)
  );
  wire [2:0] held = data_valid & ~data_taken;
  always @(posedge aclk)
    if (!aresetn) begin
      valid <= 3'd0;
      data_valid <= 3'd0;
    end else begin
      valid <= (valid & ~taken) | want;
      data_valid <= held | data;
      wlast <= (wlast & held) | (last & ~held);
      only_who_asks : assert ((taken & ~valid) == 0);
      answers_go_by_id : assert (to == (bvalid & bid < 3 ? 3'd1 << bid : 3'd0));
      strays_are_flagged : assert (stray == (bvalid & bid >= 3));
    end
  scoreboard #(
      .WIDTH(2),
      .CAPACITY(3),
      .PROMPT(0)
  ) order (
      .aclk(aclk),
      .aresetn(aresetn),
      .mark(mark),
      .which(4'd0),
      .push_valid(offered),
      .push_ready(ready),
      .push_data(id[1:0]),
      .pop_valid(data_offered & data_last),
      .pop_ready(data_ready),
      .pop_data(data_id[1:0]),
      .count()
  );
endmodule
