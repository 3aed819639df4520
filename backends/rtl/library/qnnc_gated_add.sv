// SPDX-License-Identifier: Apache-2.0
// COUNT additions side by side, each of two rows of BITS gated bits: bit p of a
// row is its bit ANDed with the row's gate, inverted where INVERT_A or INVERT_B
// says so. Vectors hold bit 0 of every row, then bit 1, and so on; so does the
// sum, of BITS + 1 bits.
//
// One LUT per bit and one carry chain per addition.
module qnnc_gated_add #(
    parameter integer COUNT = 1,
    parameter integer BITS = 2,
    parameter [BITS-1:0] INVERT_A = {BITS{1'b0}},
    parameter [BITS-1:0] INVERT_B = {BITS{1'b0}}
) (
    input  wire [    BITS*COUNT-1:0] a,
    input  wire [         COUNT-1:0] gate_a,
    input  wire [    BITS*COUNT-1:0] b,
    input  wire [         COUNT-1:0] gate_b,
    output wire [(BITS+1)*COUNT-1:0] sum
);
  genvar p;
  generate
`ifdef QNNC_XILINX_LUT
    genvar i;
    for (i = 0; i < COUNT; i = i + 1) begin : addition
      wire [BITS-1:0] s, di, total;
      for (p = 0; p < BITS; p = p + 1) begin : place
        // O6: the parity of both gated bits; O5: the first of them
        LUT6_2 #(
            .INIT({
              INVERT_A[p] ^ INVERT_B[p] ? 32'h87778777 : 32'h78887888,
              INVERT_A[p] ? 32'h77777777 : 32'h88888888
            })
        ) lut (
            .I0(a[p*COUNT+i]),
            .I1(gate_a[i]),
            .I2(b[p*COUNT+i]),
            .I3(gate_b[i]),
            .I4(1'b0),
            .I5(1'b1),
            .O6(s[p]),
            .O5(di[p])
        );
        assign sum[p*COUNT+i] = total[p];
      end
      qnnc_carry #(
          .WIDTH(BITS)
      ) chain (
          .carry_in(1'b0),
          .s(s),
          .di(di),
          .sum(total),
          .carry_out(sum[BITS*COUNT+i])
      );
    end
`else
    for (p = 0; p < BITS; p = p + 1) begin : place
      wire [COUNT-1:0] bit_a = (a[p*COUNT+:COUNT] & gate_a) ^ {COUNT{INVERT_A[p]}};
      wire [COUNT-1:0] bit_b = (b[p*COUNT+:COUNT] & gate_b) ^ {COUNT{INVERT_B[p]}};
      wire [COUNT-1:0] below, carry;
      if (p == 0) begin : first
        assign below = {COUNT{1'b0}};
      end else begin : next
        assign below = place[p-1].carry;
      end
      assign sum[p*COUNT+:COUNT] = bit_a ^ bit_b ^ below;
      assign carry = (bit_a & bit_b) | (below & (bit_a | bit_b));
    end
    assign sum[BITS*COUNT+:COUNT] = place[BITS-1].carry;
`endif
  endgenerate
endmodule
