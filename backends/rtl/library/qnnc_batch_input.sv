// SPDX-License-Identifier: Apache-2.0
// Takes BATCH vectors of SF words and plays them NF times: word 0 of every vector,
// then word 1 of every vector, and so on, so that each weight word serves all of
// them. There are two banks: while one batch is played, the next is written.
//
// `step` is made here. It needs a batch, a weight word when it is the first
// vector's turn (weights), and room for the sum at the sum's last step (room). A
// word and its flags come out two cycles after the step.
module qnnc_batch_input #(
    parameter integer WIDTH = 8,
    parameter integer SF = 4,
    parameter integer NF = 4,
    parameter integer BATCH = 4,
    parameter integer BLOCK = 0
) (
    input  wire             aclk,
    input  wire             aresetn,
    input  wire [WIDTH-1:0] s_axis_tdata,
    input  wire             s_axis_tvalid,
    output wire             s_axis_tready,
    input  wire             weights,
    input  wire             room,
    output wire             ends,     // the last step of a sum
    output wire             load,     // the weight word, two cycles after its first step
    output wire [WIDTH-1:0] x,
    output wire             x_valid,
    output wire             x_first,  // the next valid word is the first of its sum
    output wire             x_last    // this word is the last of its sum
);
  localparam integer WORDS = 2 * BATCH * SF;
  localparam integer ABITS = $clog2(WORDS);
  localparam [ABITS-1:0] HALF = ABITS'(WORDS / 2 - 1);
  localparam [ABITS-1:0] END = ABITS'(WORDS - 1);
  reg [ABITS-1:0] write_address;
  reg write_bank;
  reg [1:0] full;
  wire [ABITS-1:0] read_address;
  wire read_bank, first_vector, last_vector, first_word, last_word, last_pass;
  wire write = s_axis_tvalid & s_axis_tready;
  wire half = write_address == HALF;
  wire end_ = write_address == END;
  assign s_axis_tready = ~full[write_bank];

  wire step = full[read_bank] & (~first_vector | weights) & (~last_word | room);
  wire played = step & last_vector & last_word & last_pass;
  assign ends = step & last_word;

  always @(posedge aclk)
    if (!aresetn) begin
      write_address <= {ABITS{1'b0}};
      write_bank <= 1'b0;
      full <= 2'b00;
    end else begin
      if (write) write_address <= end_ ? {ABITS{1'b0}} : write_address + 1'b1;
      if (write & (half | end_)) begin
        write_bank <= ~write_bank;
        full[write_bank] <= 1'b1;
      end
      if (played) full[read_bank] <= 1'b0;
    end

  qnnc_strided #(
      .COUNT(BATCH),
      .LENGTH(SF),
      .REPEAT(NF),
      .ABITS(ABITS)
  ) reader (
      .aclk(aclk),
      .aresetn(aresetn),
      .step(step),
      .address(read_address),
      .bank(read_bank),
      .first_vector(first_vector),
      .last_vector(last_vector),
      .first_word(first_word),
      .last_word(last_word),
      .last_pass(last_pass)
  );
  qnnc_dual_ram #(
      .WIDTH(WIDTH),
      .DEPTH(WORDS),
      .ABITS(ABITS),
      .BLOCK(BLOCK),
      .OUTPUT_REGISTER(1)
  ) vectors (
      .aclk(aclk),
      .write(write),
      .write_address(write_address),
      .write_data(s_axis_tdata),
      .read(1'b1),
      .read_address(read_address),
      .read_data(x)
  );

  wire [3:0] flags = {
    ends,
    last_vector ? last_word : first_word,
    step & first_vector,
    step
  };
  wire [3:0] late;
  genvar i;
  generate
    for (i = 0; i < 4; i = i + 1) begin : flag
      qnnc_flag_delay #(
          .CYCLES(2)
      ) delay (
          .aclk(aclk),
          .aresetn(aresetn),
          .in(flags[i]),
          .out(late[i])
      );
    end
  endgenerate
  assign {x_last, x_first, load, x_valid} = late;
endmodule
