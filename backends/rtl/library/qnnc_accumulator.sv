// SPDX-License-Identifier: Apache-2.0
// Adds up SF partial sums, each of one or two numbers (ROWS). `total` is the
// running sum with this cycle's partial sum; it is the result when the last one
// of a pass comes in. START folds every constant of the arithmetic (offsets of
// encodings, inverted sign planes) into the register's reset value, where it
// costs nothing.
module qnnc_accumulator #(
    parameter integer WIDTH = 16,
    parameter integer ROWS = 1,
    parameter integer SF = 2,
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
    end else begin : sum
      reg [WIDTH-1:0] acc;
      assign so_far = acc;
      // one reset that outranks the enable, as the flip-flops have it
      wire start = ~aresetn | (valid & last);
      always @(posedge aclk)
        if (start) acc <= START;
        else if (valid) acc <= total;
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
