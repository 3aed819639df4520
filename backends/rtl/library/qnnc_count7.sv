// SPDX-License-Identifier: Apache-2.0
// COUNT counters of seven bits side by side: a + b + ... + g = s + 2*t + 4*u.
//
// Each takes two LUTs and half a CARRY4. g is the carry in. The first position
// adds the parity of a to f; its carry is g if that is odd, else f. The rest of
// the count, halved, does not depend on f: it is half of a + ... + e, rounded
// down, so 0, 1 or 2, and the second position adds it.
module qnnc_count7 #(
    parameter integer COUNT = 1
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
  genvar i;
  generate
    for (i = 0; i < COUNT; i = i + 1) begin : counter
      wire parity, one, two;
      LUT6 #(
          .INIT(64'h6996966996696996)
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
          .INIT(64'h177E7EE8E8808000)
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
  wire [COUNT-1:0] s0 = a ^ b ^ c;
  wire [COUNT-1:0] c0 = (a & b) | (c & (a | b));
  wire [COUNT-1:0] s1 = d ^ e ^ f;
  wire [COUNT-1:0] c1 = (d & e) | (f & (d | e));
  wire [COUNT-1:0] c2 = (s0 & s1) | (g & (s0 | s1));
  assign s = s0 ^ s1 ^ g;
  assign t = c0 ^ c1 ^ c2;
  assign u = (c0 & c1) | (c2 & (c0 | c1));
`endif
endmodule
