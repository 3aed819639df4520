// SPDX-License-Identifier: Apache-2.0
// One bit of a ROM in LUT6 primitives, read in the same cycle: 64 words per LUT,
// MUXF7 and MUXF8 up to 256 words, a multiplexer in logic beyond that. Contents
// are patched into the netlist: LUT k holds words 64*k to 64*k + 63.
(* keep_hierarchy *)
module qnnc_lut_rom #(
    parameter integer DEPTH = 64,
    parameter integer ABITS = 6
) (
    input  wire [ABITS-1:0] address,
    output wire             data
);
  localparam integer LUTS = (DEPTH + 63) / 64;
  localparam integer PAIRS = (LUTS + 1) / 2;
  localparam integer QUADS = (LUTS + 3) / 4;
  localparam integer QBITS = QUADS > 1 ? $clog2(QUADS) : 1;
  wire [7:0] padded = 8'(address);
  wire [LUTS-1:0] word;
  wire [PAIRS-1:0] pair;
  wire [QUADS-1:0] quad;

  genvar i;
  generate
    for (i = 0; i < LUTS; i = i + 1) begin : lut
      // until it is patched, a function of all six inputs that nothing can simplify
      (* keep *)
      LUT6 #(
          .INIT(64'h6996966996696996)
      ) lut6 (
          .I0(padded[0]),
          .I1(padded[1]),
          .I2(padded[2]),
          .I3(padded[3]),
          .I4(padded[4]),
          .I5(padded[5]),
          .O (word[i])
      );
    end
    for (i = 0; i < PAIRS; i = i + 1) begin : f7
      if (2 * i + 1 < LUTS) begin : mux
        MUXF7 muxf7 (
            .I0(word[2*i]),
            .I1(word[2*i+1]),
            .S (padded[6]),
            .O (pair[i])
        );
      end else begin : single
        assign pair[i] = word[2*i];
      end
    end
    for (i = 0; i < QUADS; i = i + 1) begin : f8
      if (2 * i + 1 < PAIRS) begin : mux
        MUXF8 muxf8 (
            .I0(pair[2*i]),
            .I1(pair[2*i+1]),
            .S (padded[7]),
            .O (quad[i])
        );
      end else begin : single
        assign quad[i] = pair[2*i];
      end
    end
    if (QUADS == 1) begin : one
      assign data = quad[0];
    end else begin : several
      wire [(1<<QBITS)-1:0] all = (1 << QBITS)'(quad);
      assign data = all[address[8+:QBITS]];
    end
  endgenerate
endmodule
