// SPDX-License-Identifier: Apache-2.0
// The index of the largest of LABELS scores, PE of which arrive per cycle; of equal
// ones the lowest index. The scores of a word meet in a tree of comparators, a
// register after each level, and its winner meets the best of the words before.
module qnnc_label_tree #(
    parameter integer WIDTH = 8,
    parameter integer SIGNED = 1,
    parameter integer LABELS = 10,
    parameter integer PE = 5,
    parameter integer IBITS = 8
) (
    input  wire                aclk,
    input  wire                aresetn,
    input  wire [PE*WIDTH-1:0] s_axis_tdata,
    input  wire                s_axis_tvalid,
    output wire                s_axis_tready,
    output wire [   IBITS-1:0] m_axis_tdata,
    output wire                m_axis_tvalid,
    input  wire                m_axis_tready
);
  localparam integer LEVELS = $clog2(PE);
  localparam integer WORDS = LABELS / PE;
  localparam integer CBITS = LABELS > 1 ? $clog2(LABELS) : 1;
  localparam integer SIZE = WIDTH + CBITS;

  // per level, the winner of each group of 2**level scores, its index above its score
  wire [(LEVELS+1)*PE*SIZE-1:0] winners;
  wire run, done, last, push, popped;
  genvar l, i;
  generate
    for (i = 0; i < PE; i = i + 1) begin : entering
      assign winners[i*SIZE+:SIZE] = {CBITS'(i), s_axis_tdata[i*WIDTH+:WIDTH]};
    end
    for (l = 0; l < LEVELS; l = l + 1) begin : level
      localparam integer BEFORE = (PE + (1 << l) - 1) >> l;
      localparam integer AFTER = (PE + (2 << l) - 1) >> (l + 1);
      for (i = 0; i < PE; i = i + 1) begin : place
        reg [SIZE-1:0] winner;
        assign winners[((l+1)*PE+i)*SIZE+:SIZE] = winner;
        if (2 * i + 1 < BEFORE) begin : both
          wire [SIZE-1:0] left = winners[(l*PE+2*i)*SIZE+:SIZE];
          wire [SIZE-1:0] right = winners[(l*PE+2*i+1)*SIZE+:SIZE];
          wire larger;
          if (SIGNED != 0) begin : signed_scores
            assign larger = $signed(right[WIDTH-1:0]) > $signed(left[WIDTH-1:0]);
          end else begin : unsigned_scores
            assign larger = right[WIDTH-1:0] > left[WIDTH-1:0];
          end
          always @(posedge aclk) if (run) winner <= larger ? right : left;
        end else if (i < AFTER) begin : alone
          always @(posedge aclk) if (run) winner <= winners[(l*PE+2*i)*SIZE+:SIZE];
        end else begin : none
          always @(posedge aclk) winner <= {SIZE{1'b0}};
        end
      end
    end
  endgenerate

  wire [SIZE-1:0] winner = winners[LEVELS*PE*SIZE+:SIZE];
  wire [CBITS-1:0] label;
  generate
    if (WORDS == 1) begin : one_word
      assign last  = 1'b1;
      assign label = winner[WIDTH+:CBITS];
    end else begin : several_words
      reg [CBITS-1:0] first;  // index of the word's first score
      reg [WIDTH-1:0] best;
      reg [CBITS-1:0] best_label;
      wire larger;
      if (SIGNED != 0) begin : signed_scores
        assign larger = $signed(winner[WIDTH-1:0]) > $signed(best);
      end else begin : unsigned_scores
        assign larger = winner[WIDTH-1:0] > best;
      end
      wire better = first == {CBITS{1'b0}} | larger;
      assign label = better ? first + winner[WIDTH+:CBITS] : best_label;
      assign last  = first == CBITS'(LABELS - PE);
      always @(posedge aclk) begin
        if (!aresetn) first <= {CBITS{1'b0}};
        else if (done) first <= last ? {CBITS{1'b0}} : first + CBITS'(PE);
        if (done) begin
          best_label <= label;
          if (better) best <= winner[WIDTH-1:0];
        end
      end
    end
  endgenerate

  assign push = done & last;
  assign s_axis_tready = run;
  qnnc_pipeline_control #(
      .STAGES(LEVELS)
  ) control (
      .aclk(aclk),
      .aresetn(aresetn),
      .valid(s_axis_tvalid),
      .popped(popped),
      .push(push),
      .run(run),
      .done(done)
  );
  qnnc_output_fifo #(
      .WIDTH(IBITS),
      .DEPTH(4)
  ) output_fifo (
      .aclk(aclk),
      .aresetn(aresetn),
      .push(push),
      .push_data(IBITS'(label)),
      .popped(popped),
      .m_axis_tdata(m_axis_tdata),
      .m_axis_tvalid(m_axis_tvalid),
      .m_axis_tready(m_axis_tready)
  );
endmodule
