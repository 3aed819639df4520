// SPDX-License-Identifier: Apache-2.0
// Addresses of a memory of two banks, each of which holds COUNT vectors of LENGTH
// words, one after another: word 0 of every vector, word 1 of every vector, and
// so on, REPEAT times, then the other bank. Every output comes from registers.
module qnnc_strided #(
    parameter integer COUNT = 4,
    parameter integer LENGTH = 4,
    parameter integer REPEAT = 1,
    parameter integer ABITS = 5
) (
    input  wire             aclk,
    input  wire             aresetn,
    input  wire             step,
    output reg  [ABITS-1:0] address,
    output reg              bank,
    output wire             first_vector,
    output wire             last_vector,
    output wire             first_word,
    output wire             last_word,
    output wire             last_pass
);
  localparam integer VBITS = $clog2(COUNT);
  localparam integer WBITS = LENGTH > 1 ? $clog2(LENGTH) : 1;
  localparam integer PBITS = REPEAT > 1 ? $clog2(REPEAT) : 1;
  reg [VBITS-1:0] vector;
  reg [WBITS-1:0] place;
  reg [PBITS-1:0] pass;
  reg [ABITS-1:0] row;  // address of this word of vector 0
  assign first_vector = vector == {VBITS{1'b0}};
  assign last_vector = vector == VBITS'(COUNT - 1);
  assign first_word = place == {WBITS{1'b0}};
  assign last_word = place == WBITS'(LENGTH - 1);
  assign last_pass = pass == PBITS'(REPEAT - 1);

  wire next_bank = bank ^ last_pass;
  localparam [ABITS-1:0] SECOND = ABITS'(COUNT * LENGTH);
  wire [ABITS-1:0] next_row = last_word ? (next_bank ? SECOND : {ABITS{1'b0}}) : row + 1'b1;
  always @(posedge aclk)
    if (!aresetn) begin
      vector <= {VBITS{1'b0}};
      place <= {WBITS{1'b0}};
      pass <= {PBITS{1'b0}};
      bank <= 1'b0;
      row <= {ABITS{1'b0}};
      address <= {ABITS{1'b0}};
    end else if (step) begin
      vector <= last_vector ? {VBITS{1'b0}} : vector + 1'b1;
      address <= last_vector ? next_row : address + LENGTH[ABITS-1:0];
      if (last_vector) begin
        row   <= next_row;
        place <= last_word ? {WBITS{1'b0}} : place + 1'b1;
        if (last_word) begin
          pass <= last_pass ? {PBITS{1'b0}} : pass + 1'b1;
          bank <= next_bank;
        end
      end
    end
endmodule
