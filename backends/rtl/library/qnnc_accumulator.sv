// SPDX-License-Identifier: Apache-2.0
// Adds up SF partial sums. `total` is the running sum with this cycle's
// partial sum; it is the result when the last one of a pass comes in. START
// folds every constant of the arithmetic (offsets of encodings, inverted sign
// planes) into the register's reset value, where it costs nothing.
module qnnc_accumulator #(
    parameter integer WIDTH = 16,
    parameter integer SF = 2,
    parameter [WIDTH-1:0] START = {WIDTH{1'b0}}
) (
    input  wire             aclk,
    input  wire             aresetn,
    input  wire [WIDTH-1:0] partial,
    input  wire             valid,
    input  wire             last,
    output wire [WIDTH-1:0] total
);
  generate
    if (SF == 1) begin : none
      assign total = partial + START;
    end else begin : sum
      reg [WIDTH-1:0] acc;
      assign total = partial + acc;
      // one reset that outranks the enable, as the flip-flops have it
      wire start = ~aresetn | (valid & last);
      always @(posedge aclk)
        if (start) acc <= START;
        else if (valid) acc <= total;
    end
  endgenerate
endmodule
