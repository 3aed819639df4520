// SPDX-License-Identifier: Apache-2.0
// Data width converter: one word becomes RATIO words of WIDTH bits, low bits
// first, without bubbles. Above four parts, one-hot gates in the registers' own
// resets and a wide OR make the selection, in about half the LUTs of a
// multiplexer.
module qnnc_dwc_down #(
    parameter integer WIDTH = 8,
    parameter integer RATIO = 2
) (
    input  wire                   aclk,
    input  wire                   aresetn,
    input  wire [RATIO*WIDTH-1:0] s_axis_tdata,
    input  wire                   s_axis_tvalid,
    output wire                   s_axis_tready,
    output reg  [      WIDTH-1:0] m_axis_tdata,
    output reg                    m_axis_tvalid,
    input  wire                   m_axis_tready
);
  reg waiting_full, busy;
  reg [RATIO*WIDTH-1:0] waiting, current;
  wire advance, last;
  wire free = ~busy | (advance & last);  // then `current` takes what is there, full or not
  wire load = waiting_full & free;
  assign s_axis_tready = ~waiting_full;

  always @(posedge aclk) begin
    if (!aresetn) begin
      waiting_full <= 1'b0;
      busy <= 1'b0;
    end else begin
      if (s_axis_tvalid & s_axis_tready) waiting_full <= 1'b1;
      else if (load) waiting_full <= 1'b0;
      if (load) busy <= 1'b1;
      else if (advance & last) busy <= 1'b0;
    end
    if (s_axis_tready) waiting <= s_axis_tdata;
    if (free) current <= waiting;
  end

  wire out_ready = ~m_axis_tvalid | m_axis_tready;
  genvar i;
  generate
    if (RATIO <= 4) begin : multiplexer
      localparam integer CBITS = $clog2(RATIO);
      localparam [CBITS-1:0] LAST = CBITS'(RATIO - 1);
      reg [CBITS-1:0] count;
      assign last = count == LAST;
`ifdef QNNC_ASSERTIONS
`include "qnnc_assert.svh"
      `QNNC_ASSERT(counts_words, count <= LAST)
`endif
      assign advance = busy & out_ready;
      always @(posedge aclk) begin
        if (!aresetn) count <= {CBITS{1'b0}};
        else if (advance) count <= last ? {CBITS{1'b0}} : count + 1'b1;
        if (!aresetn) m_axis_tvalid <= 1'b0;
        else if (out_ready) m_axis_tvalid <= busy;
        if (out_ready) m_axis_tdata <= current[count*WIDTH+:WIDTH];
      end
    end else begin : one_hot
      reg [RATIO-1:0] select;
      reg gated_valid;
      wire gate_ready = ~gated_valid | out_ready;
      wire [RATIO*WIDTH-1:0] gated;
      assign last = select[RATIO-1];
`ifdef QNNC_ASSERTIONS
`include "qnnc_assert.svh"
      `QNNC_ASSERT_ONE_HOT(selects_one_part, select)
`endif
      assign advance = busy & gate_ready;
      always @(posedge aclk) begin
        if (!aresetn) select <= {{RATIO - 1{1'b0}}, 1'b1};
        else if (advance) select <= {select[RATIO-2:0], select[RATIO-1]};
        if (!aresetn) gated_valid <= 1'b0;
        else if (gate_ready) gated_valid <= busy;
        if (!aresetn) m_axis_tvalid <= 1'b0;
        else if (out_ready) m_axis_tvalid <= gated_valid;
      end
      for (i = 0; i < RATIO; i = i + 1) begin : part
        reg [WIDTH-1:0] q;
        always @(posedge aclk)
          if (gate_ready) q <= select[i] ? current[i*WIDTH+:WIDTH] : {WIDTH{1'b0}};
        assign gated[i*WIDTH+:WIDTH] = q;
      end
      integer k;
      reg [WIDTH-1:0] merged;
      always @* begin
        merged = {WIDTH{1'b0}};
        for (k = 0; k < RATIO; k = k + 1) merged = merged | gated[k*WIDTH+:WIDTH];
      end
      always @(posedge aclk) if (out_ready) m_axis_tdata <= merged;
    end
  endgenerate

`ifdef QNNC_ASSERTIONS
`include "qnnc_assert.svh"
  `QNNC_ASSERT_STREAM(m_axis)
`endif
endmodule
