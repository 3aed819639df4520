// SPDX-License-Identifier: Apache-2.0
// Addresses for transposing a sequence of matrices of ROWS x COLUMNS words in
// place: each is written to the addresses that the one before is read from. Word
// i of matrix k lies at i * COLUMNS**k modulo SIZE - 1, the last word at SIZE - 1,
// and matrix k is read in the order in which matrix k + 1 is written. So each
// address is the one before plus a stride, which is COLUMNS times the previous
// matrix's stride: the address that word COLUMNS of that matrix had.
module qnnc_transposed #(
    parameter integer ROWS = 4,
    parameter integer COLUMNS = 4,
    parameter integer READS = 0,  // 1: reads matrix 0 first, 0: writes it
    parameter integer ABITS = 4
) (
    input  wire             aclk,
    input  wire             aresetn,
    input  wire             step,
    output reg  [ABITS-1:0] address,
    output wire             last
);
  localparam integer SIZE = ROWS * COLUMNS;
  localparam [ABITS-1:0] FIRST = ABITS'(ROWS > 1 && READS != 0 ? COLUMNS : 1);
  localparam [ABITS:0] MODULUS = (ABITS + 1)'(SIZE - 1);
  localparam [ABITS-1:0] LAST = ABITS'(SIZE - 1);
  localparam [ABITS-1:0] BEFORE_LAST = ABITS'(SIZE - 2);
  reg [ABITS-1:0] count, stride;
  wire [ABITS:0] sum = {1'b0, address} + {1'b0, stride};
  wire [ABITS-1:0] next = ABITS'(sum < MODULUS ? sum : sum - MODULUS);
  wire [ABITS-1:0] next_stride;
  assign last = count == LAST;

  always @(posedge aclk)
    if (!aresetn) begin
      count   <= {ABITS{1'b0}};
      address <= {ABITS{1'b0}};
      stride  <= FIRST;
    end else if (step) begin
      count <= last ? {ABITS{1'b0}} : count + 1'b1;
      if (last) begin
        address <= {ABITS{1'b0}};
        stride  <= next_stride;
      end else begin
        address <= count == BEFORE_LAST ? LAST : next;
      end
    end
  generate
    if (ROWS == 1) begin : same
      assign next_stride = stride;
    end else begin : other
      reg [ABITS-1:0] found;
      always @(posedge aclk) if (step & count == ABITS'(COLUMNS)) found <= address;
      assign next_stride = found;
    end
  endgenerate
endmodule
