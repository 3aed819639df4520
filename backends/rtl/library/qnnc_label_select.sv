// SPDX-License-Identifier: Apache-2.0
// Indices of the K largest of LABELS scores that arrive one per cycle, largest
// first; among equals the lower index comes first, as in ONNX TopK.
module qnnc_label_select #(
    parameter integer WIDTH = 8,
    parameter integer SIGNED = 1,
    parameter integer LABELS = 10,
    parameter integer K = 1,
    parameter integer IBITS = 4
) (
    input  wire             aclk,
    input  wire             aresetn,
    input  wire [WIDTH-1:0] s_axis_tdata,
    input  wire             s_axis_tvalid,
    output wire             s_axis_tready,
    output wire [IBITS-1:0] m_axis_tdata,
    output wire             m_axis_tvalid,
    input  wire             m_axis_tready
);
  localparam integer CBITS = LABELS > 1 ? $clog2(LABELS) : 1;

  // a register first, so that the comparison has a whole cycle
  reg [WIDTH-1:0] score;
  reg score_valid;
  wire score_ready;
  assign s_axis_tready = ~score_valid | score_ready;

  reg [CBITS-1:0] index;
  wire last = index == CBITS'(LABELS - 1);
  reg [K*WIDTH-1:0] best;
  reg [K*CBITS-1:0] best_index;
  reg [K-1:0] filled;
  wire [K*WIDTH-1:0] next_best;
  wire [K*CBITS-1:0] next_index;
  wire [K-1:0] wins;

  reg [K*CBITS-1:0] result;
  reg [K-1:0] left;
  assign score_ready = ~last | ~left[0];
  wire take = score_valid & score_ready;

  genvar i;
  generate
    for (i = 0; i < K; i = i + 1) begin : rank
      wire larger;
      if (SIGNED != 0) begin : signed_scores
        assign larger = $signed(score) > $signed(best[i*WIDTH+:WIDTH]);
      end else begin : unsigned_scores
        assign larger = score > best[i*WIDTH+:WIDTH];
      end
      assign wins[i] = ~filled[i] | larger;
      if (i == 0) begin : top
        assign next_best[i*WIDTH+:WIDTH]  = wins[i] ? score : best[i*WIDTH+:WIDTH];
        assign next_index[i*CBITS+:CBITS] = wins[i] ? index : best_index[i*CBITS+:CBITS];
      end else begin : lower
        assign next_best[i*WIDTH+:WIDTH] = ~wins[i] ? best[i*WIDTH+:WIDTH] :
            wins[i-1] ? best[(i-1)*WIDTH+:WIDTH] : score;
        assign next_index[i*CBITS+:CBITS] = ~wins[i] ? best_index[i*CBITS+:CBITS] :
            wins[i-1] ? best_index[(i-1)*CBITS+:CBITS] : index;
      end
    end
  endgenerate

  wire pop = m_axis_tvalid & m_axis_tready;
  always @(posedge aclk) begin
    if (!aresetn) begin
      score_valid <= 1'b0;
      index <= {CBITS{1'b0}};
      filled <= {K{1'b0}};
      left <= {K{1'b0}};
    end else begin
      if (s_axis_tready) score_valid <= s_axis_tvalid;
      if (take) begin
        index  <= last ? {CBITS{1'b0}} : index + 1'b1;
        filled <= last ? {K{1'b0}} : K'({filled, 1'b1});
      end
      if (take & last) left <= {K{1'b1}};
      else if (pop) left <= left >> 1;
    end
    if (s_axis_tready) score <= s_axis_tdata;
    if (take) begin
      best <= next_best;
      best_index <= next_index;
    end
    if (take & last) result <= next_index;
    else if (pop) result <= result >> CBITS;
  end
  assign m_axis_tvalid = left[0];
  assign m_axis_tdata  = IBITS'(result[CBITS-1:0]);

`ifdef QNNC_ASSERTIONS
`include "qnnc_assert.svh"
  `QNNC_ASSERT_STREAM(m_axis)
`endif
endmodule
