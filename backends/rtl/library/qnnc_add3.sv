// SPDX-License-Identifier: Apache-2.0
// sum = a + b + c, modulo 2**WIDTH. Operands are zero from bit USED on. INVERT_A to
// INVERT_C say which of their bits come as complements.
//
// One LUT per used bit and one carry chain: each LUT passes the majority of its
// three bits to the next position, where it is added to the parity of that one's.
module qnnc_add3 #(
    parameter integer WIDTH = 8,
    parameter integer USED = WIDTH,
    parameter [WIDTH-1:0] INVERT_A = {WIDTH{1'b0}},
    parameter [WIDTH-1:0] INVERT_B = {WIDTH{1'b0}},
    parameter [WIDTH-1:0] INVERT_C = {WIDTH{1'b0}}
) (
    input  wire [WIDTH-1:0] a,
    input  wire [WIDTH-1:0] b,
    input  wire [WIDTH-1:0] c,
    output wire [WIDTH-1:0] sum
);
`ifdef QNNC_XILINX_LUT
  wire [WIDTH-1:0] s;
  wire [WIDTH:0] two;
  assign two[0] = 1'b0;

  function automatic [31:0] complemented(input [31:0] table_, input [2:0] inputs);
    integer k;
    for (k = 0; k < 32; k = k + 1) complemented[k] = table_[k[4:0] ^ {2'b00, inputs}];
  endfunction

  genvar i;
  generate
    for (i = 0; i < WIDTH; i = i + 1) begin : place
      if (i < USED) begin : used
        localparam [2:0] COMPLEMENTS = {INVERT_C[i], INVERT_B[i], INVERT_A[i]};
        // O6: parity of all four; O5: majority of the first three
        LUT6_2 #(
            .INIT({complemented(32'h69966996, COMPLEMENTS), complemented(32'hE8E8E8E8, COMPLEMENTS)})
        ) lut (
            .I0(a[i]),
            .I1(b[i]),
            .I2(c[i]),
            .I3(two[i]),
            .I4(1'b0),
            .I5(1'b1),
            .O6(s[i]),
            .O5(two[i+1])
        );
      end else begin : above
        assign s[i] = two[i];
        assign two[i+1] = 1'b0;
      end
    end
  endgenerate
  qnnc_carry #(
      .WIDTH(WIDTH)
  ) chain (
      .carry_in(1'b0),
      .s(s),
      .di(two[WIDTH-1:0]),
      .sum(sum),
      .carry_out()
  );
`else
  assign sum = (a ^ INVERT_A) + (b ^ INVERT_B) + (c ^ INVERT_C);
`endif
endmodule
