// SPDX-License-Identifier: Apache-2.0
// Weight words from off-chip memory: each is BEATS beats of PORT bits, the first
// in the low bits. `there` says that the next one is complete; `load` takes it,
// and it stays on `word` until the next load.
module qnnc_weight_port #(
    parameter integer PORT = 64,
    parameter integer BEATS = 1,
    parameter integer WIDTH = 64
) (
    input  wire             aclk,
    input  wire             aresetn,
    input  wire [ PORT-1:0] s_axis_tdata,
    input  wire             s_axis_tvalid,
    output wire             s_axis_tready,
    output wire             there,
    input  wire             load,
    output reg  [WIDTH-1:0] word
);
  wire [BEATS*PORT-1:0] next;
  always @(posedge aclk) if (load) word <= next[WIDTH-1:0];
  generate
    if (BEATS == 1) begin : one
      qnnc_register_slice #(
          .WIDTH(PORT)
      ) slice (
          .aclk(aclk),
          .aresetn(aresetn),
          .s_axis_tdata(s_axis_tdata),
          .s_axis_tvalid(s_axis_tvalid),
          .s_axis_tready(s_axis_tready),
          .m_axis_tdata(next),
          .m_axis_tvalid(there),
          .m_axis_tready(load)
      );
    end else begin : several
      qnnc_dwc_up #(
          .WIDTH(PORT),
          .RATIO(BEATS)
      ) collect (
          .aclk(aclk),
          .aresetn(aresetn),
          .s_axis_tdata(s_axis_tdata),
          .s_axis_tvalid(s_axis_tvalid),
          .s_axis_tready(s_axis_tready),
          .m_axis_tdata(next),
          .m_axis_tvalid(there),
          .m_axis_tready(load)
      );
    end
  endgenerate

`ifdef QNNC_ASSERTIONS
`include "qnnc_assert.svh"
  `QNNC_ASSERT(no_underflow, ~load | there)
`endif
endmodule
