// SPDX-License-Identifier: Apache-2.0
// COUNT counters of seven bits side by side: a + b + ... + g = s + 2*t + 4*u.
//
// Each takes two LUTs and half a CARRY4. g is the carry in. The first position
// adds the parity of a to f; its carry is g if that is odd, else f. The rest of
// the count, halved, does not depend on f: it is half of a + ... + e, rounded
// down, so 0, 1 or 2, and the second position adds it.
//
// INVERT says which of a to e come as complements, those of a in its lowest bits.
module qnnc_count7 #(
    parameter integer COUNT = 1,
    parameter [5*COUNT-1:0] INVERT = {5 * COUNT{1'b0}}
) (
    input  wire [COUNT-1:0] a,
    input  wire [COUNT-1:0] b,
    input  wire [COUNT-1:0] c,
    input  wire [COUNT-1:0] d,
    input  wire [COUNT-1:0] e,
    input  wire [COUNT-1:0] f,
    input  wire [COUNT-1:0] g,
    output wire [COUNT-1:0] s,
    output wire [COUNT-1:0] t,
    output wire [COUNT-1:0] u
);
`ifdef QNNC_XILINX_LUT
  function automatic [31:0] complemented(input [31:0] table_, input [4:0] inputs);
    integer k;
    for (k = 0; k < 32; k = k + 1) complemented[k] = table_[k[4:0] ^ inputs];
  endfunction

  genvar i;
  generate
    for (i = 0; i < COUNT; i = i + 1) begin : counter
      localparam [4:0] COMPLEMENTS = {
        INVERT[4*COUNT+i], INVERT[3*COUNT+i], INVERT[2*COUNT+i], INVERT[COUNT+i], INVERT[i]
      };
      wire parity, one, two;
      LUT6 #(
          .INIT(64'h6996966996696996 ^ {64{^COMPLEMENTS}})
      ) odd (
          .I0(a[i]),
          .I1(b[i]),
          .I2(c[i]),
          .I3(d[i]),
          .I4(e[i]),
          .I5(f[i]),
          .O (parity)
      );
      // O6: two or three of five are set; O5: four or five
      LUT6_2 #(
          .INIT({complemented(32'h177E7EE8, COMPLEMENTS), complemented(32'hE8808000, COMPLEMENTS)})
      ) half (
          .I0(a[i]),
          .I1(b[i]),
          .I2(c[i]),
          .I3(d[i]),
          .I4(e[i]),
          .I5(1'b1),
          .O6(one),
          .O5(two)
      );
      qnnc_carry #(
          .WIDTH(2)
      ) chain (
          .carry_in(g[i]),
          .s({one, parity}),
          .di({two, f[i]}),
          .sum({t[i], s[i]}),
          .carry_out(u[i])
      );
    end
  endgenerate
`else
  wire [COUNT-1:0] a_, b_, c_, d_, e_;
  assign {e_, d_, c_, b_, a_} = {e, d, c, b, a} ^ INVERT;
  wire [COUNT-1:0] s0 = a_ ^ b_ ^ c_;
  wire [COUNT-1:0] c0 = (a_ & b_) | (c_ & (a_ | b_));
  wire [COUNT-1:0] s1 = d_ ^ e_ ^ f;
  wire [COUNT-1:0] c1 = (d_ & e_) | (f & (d_ | e_));
  wire [COUNT-1:0] c2 = (s0 & s1) | (g & (s0 | s1));
  assign s = s0 ^ s1 ^ g;
  assign t = c0 ^ c1 ^ c2;
  assign u = (c0 & c1) | (c2 & (c0 | c1));
`endif
endmodule
