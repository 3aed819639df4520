// SPDX-License-Identifier: Apache-2.0
// Three readers that hold what they ask for, as AXI demands, and ask at any time.
module proof (
    input wire aclk,
    input wire [2:0] want,
    input wire [2:0] address,
    input wire ready,
    input wire [5:0] rid,
    input wire rvalid
);
  reg aresetn = 1'b0;
  always @(posedge aclk) aresetn <= 1'b1;
  reg [2:0] valid, low;
  wire [2:0] taken, to;
  wire [95:0] addresses = {31'd0, low[2], 31'd0, low[1], 31'd0, low[0]};
  wire [5:0] id;
  wire offered, stray;
  qnnc_read_arbiter #(
      .N(3)
  ) dut (
      .aclk(aclk),
      .aresetn(aresetn),
      .s_araddr(addresses),
      .s_arlen(12'd0),
      .s_arvalid(valid),
      .s_arready(taken),
      .s_rvalid(to),
      .stray(stray),
      .m_araddr(),
      .m_arlen(),
      .m_arid(id),
      .m_arvalid(offered),
      .m_arready(ready),
      .m_rid(rid),
      .m_rvalid(rvalid)
  );
  reg [2:0] others;  // bursts of others while reader 1 waits
  always @(posedge aclk)
    if (!aresetn) begin
      valid  <= 3'd0;
      others <= 3'd0;
    end else begin
      valid <= (valid & ~taken) | want;
      low <= (low & (valid & ~taken)) | (address & ~(valid & ~taken));
      others <= ~valid[1] | taken[1] ? 0 : others + (offered & ready);
      only_who_asks : assert ((taken & ~valid) == 0);
      all_that_is_granted : assert ((taken != 0) == (offered & ready));
      fair : assert (others <= 2);
      data_goes_by_id : assert (to == (rvalid & rid < 3 ? 3'd1 << rid : 3'd0));
      strays_are_flagged : assert (stray == (rvalid & rid >= 3));
    end
endmodule
