// SPDX-License-Identifier: Apache-2.0
// Takes vectors of SF words and plays each of them NF times: one word per `step`,
// LATENCY cycles after it. There are two banks: while one vector is played, the
// next is written. With NF = 1 nothing is stored and words pass straight through.
//
// `step` is made here. It needs a word, its weights (weights) and, for the last
// word of a pass, room for a result at the end of the pipeline (can_finish).
module qnnc_replay_buffer #(
    parameter integer WIDTH = 8,
    parameter integer SF = 4,
    parameter integer NF = 4,
    parameter integer LATENCY = 1
) (
    input  wire             aclk,
    input  wire             aresetn,
    input  wire [WIDTH-1:0] s_axis_tdata,
    input  wire             s_axis_tvalid,
    output wire             s_axis_tready,
    input  wire             weights,
    input  wire             can_finish,
    output wire             step,
    output wire             step_last,
    output wire [WIDTH-1:0] x,
    output wire             x_valid,
    output wire             x_last
);
  localparam integer SBITS = SF > 1 ? $clog2(SF) : 1;
  localparam integer NBITS = NF > 1 ? $clog2(NF) : 1;

  localparam [SBITS-1:0] LAST_WORD = SBITS'(SF - 1);
  localparam [NBITS-1:0] LAST_PASS = NBITS'(NF - 1);
  reg [SBITS-1:0] index;  // of the word within the pass
  wire last = index == LAST_WORD;
  assign step_last = step & last;
  always @(posedge aclk)
    if (!aresetn) index <= {SBITS{1'b0}};
    else if (step) index <= last ? {SBITS{1'b0}} : index + 1'b1;

  generate
    if (NF == 1) begin : direct
      assign s_axis_tready = weights & (~last | can_finish);
      assign step = s_axis_tvalid & s_axis_tready;
      qnnc_delay #(
          .WIDTH(WIDTH),
          .CYCLES(LATENCY)
      ) align (
          .aclk(aclk),
          .in(s_axis_tdata),
          .out(x)
      );
    end else begin : replay
      reg [NBITS-1:0] nf;  // of the pass
      wire vector_end = step_last & (nf == LAST_PASS);
      always @(posedge aclk)
        if (!aresetn) nf <= {NBITS{1'b0}};
        else if (step_last) nf <= nf == LAST_PASS ? {NBITS{1'b0}} : nf + 1'b1;

      if (SF == 1) begin : registers
        reg [WIDTH-1:0] waiting, playing;
        reg waiting_full, playing_full;
        wire load = waiting_full & (~playing_full | vector_end);
        assign s_axis_tready = ~waiting_full;
        assign step = playing_full & weights & can_finish;
        always @(posedge aclk) begin
          if (!aresetn) begin
            waiting_full <= 1'b0;
            playing_full <= 1'b0;
          end else begin
            if (s_axis_tvalid & s_axis_tready) waiting_full <= 1'b1;
            else if (load) waiting_full <= 1'b0;
            if (load) playing_full <= 1'b1;
            else if (vector_end) playing_full <= 1'b0;
          end
          if (s_axis_tready) waiting <= s_axis_tdata;
          if (load) playing <= waiting;
        end
        qnnc_delay #(
            .WIDTH(WIDTH),
            .CYCLES(LATENCY)
        ) align (
            .aclk(aclk),
            .in(playing),
            .out(x)
        );
      end else begin : banks
        reg write_bank, read_bank;
        reg [1:0] full;
        reg [SBITS-1:0] write_index;
        wire write = s_axis_tvalid & s_axis_tready;
        wire write_end = write & (write_index == LAST_WORD);
        assign s_axis_tready = ~full[write_bank];
        assign step = full[read_bank] & weights & (~last | can_finish);

        (* ram_style = "distributed" *) reg [WIDTH-1:0] mem[0:(2<<SBITS)-1];
        reg [WIDTH-1:0] word;
        always @(posedge aclk) begin
          if (write) mem[{write_bank, write_index}] <= s_axis_tdata;
          word <= mem[{read_bank, index}];
        end

        always @(posedge aclk)
          if (!aresetn) begin
            write_bank  <= 1'b0;
            read_bank   <= 1'b0;
            full        <= 2'b00;
            write_index <= {SBITS{1'b0}};
          end else begin
            if (write) write_index <= write_end ? {SBITS{1'b0}} : write_index + 1'b1;
            if (write_end) begin
              write_bank <= ~write_bank;
              full[write_bank] <= 1'b1;
            end
            if (vector_end) begin
              read_bank <= ~read_bank;
              full[read_bank] <= 1'b0;
            end
          end
        qnnc_delay #(
            .WIDTH(WIDTH),
            .CYCLES(LATENCY - 1)
        ) align (
            .aclk(aclk),
            .in(word),
            .out(x)
        );
      end
    end
  endgenerate

  qnnc_flag_delay #(
      .CYCLES(LATENCY)
  ) valid_delay (
      .aclk(aclk),
      .aresetn(aresetn),
      .in(step),
      .out(x_valid)
  );
  qnnc_flag_delay #(
      .CYCLES(LATENCY)
  ) last_delay (
      .aclk(aclk),
      .aresetn(aresetn),
      .in(step_last),
      .out(x_last)
  );

`ifdef QNNC_ASSERTIONS
`include "qnnc_assert.svh"
  `QNNC_ASSERT(results_have_room, ~step_last | can_finish)
`endif
endmodule
