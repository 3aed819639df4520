// SPDX-License-Identifier: Apache-2.0
// Weights side by side in one word for a DSP48E1's 25-bit port: the sum of
// w_f * 2**(f * SPACING), from stored digits. Field 0 is in the low bits; a
// negative field fills the bits up to the next one, whose digit was stored one
// smaller.
module qnnc_dsp_word #(
    parameter integer FIELDS = 2,
    parameter integer SPACING = 17,
    parameter integer BITS = 8,
    parameter integer SIGNED = 1
) (
    input  wire [             FIELDS*BITS-1:0] digits,
    output wire [(FIELDS-1)*SPACING+BITS-1:0] word
);
  genvar f;
  generate
    for (f = 0; f < FIELDS; f = f + 1) begin : field
      assign word[f*SPACING+:BITS] = digits[f*BITS+:BITS];
      if (f < FIELDS - 1 && SPACING > BITS) begin : fill
        assign word[f*SPACING+BITS+:SPACING-BITS] =
            {SPACING - BITS{SIGNED != 0 ? digits[f*BITS+BITS-1] : 1'b0}};
      end
    end
  endgenerate
endmodule
