// SPDX-License-Identifier: Apache-2.0
// Takes matrices and gives each REPEAT times, in words of BANKS words as they come.
// There are two halves: while one matrix is read, the next is written.
//
// A word that comes is LANES elements of BITS bits. INNER of them go to bank 0, INNER
// to bank 1 and so on, OUTER times: at neighbouring addresses, or OUTER apart if
// STRIDED. A word to be read is one address of all banks, element by element of
// bank 0, then of bank 1; or if STRIDED, the first element of each bank, then the
// second.
//
// `there` says that the next word is complete; `load` takes it, and it is on `word`
// one cycle later.
module qnnc_matrix_buffer #(
    parameter integer BITS = 4,
    parameter integer LANES = 2,
    parameter integer BANKS = 2,
    parameter integer INNER = 4,
    parameter integer OUTER = 2,
    parameter integer REPEAT = 3,
    parameter integer STRIDED = 0,
    parameter integer BLOCK = 0,
    parameter integer BANK = 0
) (
    input  wire                        aclk,
    input  wire                        aresetn,
    input  wire [      LANES*BITS-1:0] s_axis_tdata,
    input  wire                        s_axis_tvalid,
    output wire                        s_axis_tready,
    output wire                        there,
    input  wire                        load,
    output wire [BANKS*LANES*BITS-1:0] word
);
  localparam integer WORDS = INNER * OUTER;
  localparam integer ABITS = $clog2(2 * WORDS);
  localparam integer BBITS = BANKS > 1 ? $clog2(BANKS) : 1;
  localparam [ABITS-1:0] HALF = ABITS'(WORDS - 1);
  localparam [ABITS-1:0] END = ABITS'(2 * WORDS - 1);
  localparam [ABITS-1:0] SECOND = ABITS'(WORDS);
  localparam [ABITS-1:0] STRIDE = STRIDED != 0 ? ABITS'(OUTER) : ABITS'(1);
  reg write_half, read_half;
  reg [1:0] full;

  // writing: the address goes back to where the bank before began
  assign s_axis_tready = ~full[write_half];
  wire write = s_axis_tvalid & s_axis_tready;
  reg [ABITS-1:0] write_address, begun;
  reg [BBITS-1:0] bank;
  wire inner_last, outer_last;
  wire bank_last = bank == BBITS'(BANKS - 1);
  wire run_end = write & inner_last;
  wire row_end = run_end & bank_last;
  wire matrix_end = row_end & outer_last;
  qnnc_counter #(
      .COUNT(INNER)
  ) inner (
      .aclk(aclk),
      .aresetn(aresetn),
      .advance(write),
      .last(inner_last)
  );
  qnnc_counter #(
      .COUNT(OUTER)
  ) outer (
      .aclk(aclk),
      .aresetn(aresetn),
      .advance(row_end),
      .last(outer_last)
  );
  wire [ABITS-1:0] after = STRIDED != 0 ? begun + 1'b1 : write_address + 1'b1;
  wire [ABITS-1:0] next_row =
      outer_last ? (write_half ? {ABITS{1'b0}} : SECOND) : after;
  always @(posedge aclk)
    if (!aresetn) begin
      write_address <= {ABITS{1'b0}};
      begun <= {ABITS{1'b0}};
      bank <= {BBITS{1'b0}};
    end else if (write) begin
      if (~inner_last) write_address <= write_address + STRIDE;
      else write_address <= bank_last ? next_row : begun;
      if (row_end) begun <= next_row;
      if (run_end) bank <= bank_last ? {BBITS{1'b0}} : bank + 1'b1;
    end

  // reading: one half over and over
  reg [ABITS-1:0] read_address;
  wire pass_last = read_address == (read_half ? END : HALF);
  wire repeat_last;
  wire pass_end = load & pass_last;
  wire read_end = pass_end & repeat_last;
  qnnc_counter #(
      .COUNT(REPEAT)
  ) repeats (
      .aclk(aclk),
      .aresetn(aresetn),
      .advance(pass_end),
      .last(repeat_last)
  );
  wire next_half = read_half ^ repeat_last;
  always @(posedge aclk)
    if (!aresetn) read_address <= {ABITS{1'b0}};
    else if (load) begin
      if (pass_last) read_address <= next_half ? SECOND : {ABITS{1'b0}};
      else read_address <= read_address + 1'b1;
    end

  assign there = full[read_half];
  always @(posedge aclk)
    if (!aresetn) begin
      write_half <= 1'b0;
      read_half <= 1'b0;
      full <= 2'b00;
    end else begin
      if (matrix_end) begin
        write_half <= ~write_half;
        full[write_half] <= 1'b1;
      end
      if (read_end) begin
        read_half <= ~read_half;
        full[read_half] <= 1'b0;
      end
    end

  wire [BANKS*LANES*BITS-1:0] rows;
  genvar i, j;
  generate
    for (i = 0; i < BANKS; i = i + 1) begin : column
      qnnc_ram #(
          .WIDTH(LANES * BITS),
          .DEPTH(2 * WORDS),
          .ABITS(ABITS),
          .BLOCK(BLOCK),
          .BANK (BANK)
      ) ram (
          .aclk(aclk),
          .write(write & (bank == i)),
          .write_address(write_address),
          .write_data(s_axis_tdata),
          .read(load),
          .read_address(read_address),
          .read_data(rows[i*LANES*BITS+:LANES*BITS])
      );
      for (j = 0; j < LANES; j = j + 1) begin : element
        localparam integer PLACE = STRIDED != 0 ? j * BANKS + i : i * LANES + j;
        assign word[PLACE*BITS+:BITS] = rows[(i*LANES+j)*BITS+:BITS];
      end
    end
  endgenerate

`ifdef QNNC_ASSERTIONS
`include "qnnc_assert.svh"
  `QNNC_ASSERT(no_underflow, ~load | there)
  `QNNC_ASSERT(halves_apart, ~(write & load) | write_half != read_half)
`endif
endmodule
