// SPDX-License-Identifier: Apache-2.0
// Adds up BATCH sums by turns: partial sums, each of one or two numbers (ROWS),
// come for one after the other, SF times round. `total` is the running sum with
// this cycle's partial sum. The sums wait in shift registers, BATCH - 1 places
// and a register; `last` says that the next partial sum is the first of its
// sum, which then starts from START. BATCH is 3 to 33.
module qnnc_batch_accumulator #(
    parameter integer WIDTH = 16,
    parameter integer ROWS = 1,
    parameter integer SF = 2,
    parameter integer BATCH = 4,
    parameter [WIDTH-1:0] START = {WIDTH{1'b0}}
) (
    input  wire                  aclk,
    input  wire                  aresetn,
    input  wire [ROWS*WIDTH-1:0] partial,
    input  wire                  valid,
    input  wire                  last,
    output wire [     WIDTH-1:0] total
);
  wire [WIDTH-1:0] so_far;
  generate
    if (SF == 1) begin : none
      assign so_far = START;
    end else begin : sums
      localparam integer ABITS = BATCH > 17 ? 5 : 4;
      localparam [ABITS-1:0] PLACE = BATCH - 2;
      wire [WIDTH-1:0] back;
      reg [WIDTH-1:0] acc;
      assign so_far = acc;
      wire start = ~aresetn | (valid & last);
      always @(posedge aclk)
        if (start) acc <= START;
        else if (valid) acc <= back;
      qnnc_shift_register #(
          .WIDTH(WIDTH),
          .ABITS(ABITS)
      ) waiting (
          .aclk(aclk),
          .shift(valid),
          .in(total),
          .address(PLACE),
          .out(back)
      );
    end
    if (ROWS == 1) begin : one_row
      assign total = partial + so_far;
    end else if (SF == 1 && START == {WIDTH{1'b0}}) begin : two_rows
      assign total = partial[WIDTH-1:0] + partial[WIDTH+:WIDTH];
    end else begin : three_rows
      qnnc_add3 #(
          .WIDTH(WIDTH)
      ) add (
          .a(so_far),
          .b(partial[WIDTH-1:0]),
          .c(partial[WIDTH+:WIDTH]),
          .sum(total)
      );
    end
  endgenerate
endmodule
