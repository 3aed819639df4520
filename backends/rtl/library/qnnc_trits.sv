// SPDX-License-Identifier: Apache-2.0
// COUNT numbers of -1, 0 and +1, two bits each, from a word that holds them in
// groups of five, eight bits each, followed by the remaining ones, two bits each.
module qnnc_trits #(
    parameter integer COUNT = 5
) (
    input  wire [8*(COUNT/5)+2*(COUNT%5)-1:0] word,
    output wire [                2*COUNT-1:0] trits
);
  localparam integer FIVES = COUNT / 5;
  localparam integer REST = COUNT % 5;
  genvar i;
  generate
    for (i = 0; i < FIVES; i = i + 1) begin : five
      qnnc_five_trits decode (
          .code (word[8*i+:8]),
          .trits(trits[10*i+:10])
      );
    end
    if (REST != 0) begin : rest
      assign trits[10*FIVES+:2*REST] = word[8*FIVES+:2*REST];
    end
  endgenerate
endmodule
