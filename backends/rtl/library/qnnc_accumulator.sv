// SPDX-License-Identifier: Apache-2.0
// Adds up SF partial sums, each of one or two numbers (ROWS). `total` is the
// running sum including this cycle's partial sum; it is the result when the last
// one of a pass comes in. START folds every constant of the arithmetic (offsets
// of encodings, inverted sign planes) into the register's reset value, where it
// costs nothing.
//
// With BATCH above 1 (3 to 33), that many sums are interleaved: one partial sum for
// each of them in turn, SF rounds in all. The sums wait in the register and in
// shift registers of BATCH - 1 places; `last` then says that the next partial sum
// is the first of its sum.
module qnnc_accumulator #(
    parameter integer WIDTH = 16,
    parameter integer ROWS = 1,
    parameter integer SF = 2,
    parameter integer BATCH = 1,
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
      reg  [WIDTH-1:0] acc;
      wire [WIDTH-1:0] next;
      assign so_far = acc;
      // a reset with priority over the enable, as flip-flops have it
      wire start = ~aresetn | (valid & last);
      always @(posedge aclk)
        if (start) acc <= START;
        else if (valid) acc <= next;
      if (BATCH == 1) begin : alone
        assign next = total;
      end else begin : interleaved
        localparam integer ABITS = BATCH > 17 ? 5 : 4;
        localparam [ABITS-1:0] PLACE = ABITS'(BATCH - 2);
        qnnc_shift_register #(
            .WIDTH(WIDTH),
            .ABITS(ABITS)
        ) waiting (
            .aclk(aclk),
            .shift(valid),
            .in(total),
            .address(PLACE),
            .out(next)
        );
      end
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
