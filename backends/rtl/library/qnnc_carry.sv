// SPDX-License-Identifier: Apache-2.0
// A chain of CARRY4: sum = s ^ carry; the carry out of a position is its `di` where
// s is 0, else the carry into it. For synthesis only.
`ifdef QNNC_XILINX_LUT
module qnnc_carry #(
    parameter integer WIDTH = 4
) (
    input  wire             carry_in,
    input  wire [WIDTH-1:0] s,
    input  wire [WIDTH-1:0] di,
    output wire [WIDTH-1:0] sum,
    output wire             carry_out
);
  localparam integer BLOCKS = (WIDTH + 3) / 4;
  wire [4*BLOCKS-1:0] s_in, di_in, sum_out, carry;
  assign sum = sum_out[WIDTH-1:0];
  assign carry_out = carry[WIDTH-1];
  genvar i;
  generate
    for (i = 0; i < 4 * BLOCKS; i = i + 1) begin : pad
      if (i < WIDTH) begin : used
        assign s_in[i]  = s[i];
        assign di_in[i] = di[i];
      end else begin : unused
        assign s_in[i]  = 1'b0;
        assign di_in[i] = 1'b0;
      end
    end
    for (i = 0; i < BLOCKS; i = i + 1) begin : block
      if (i == 0) begin : first
        CARRY4 carry4 (
            .CI(1'b0),
            .CYINIT(carry_in),
            .S(s_in[3:0]),
            .DI(di_in[3:0]),
            .O(sum_out[3:0]),
            .CO(carry[3:0])
        );
      end else begin : next
        CARRY4 carry4 (
            .CI(carry[4*i-1]),
            .CYINIT(1'b0),
            .S(s_in[4*i+:4]),
            .DI(di_in[4*i+:4]),
            .O(sum_out[4*i+:4]),
            .CO(carry[4*i+:4])
        );
      end
    end
  endgenerate
endmodule
`endif
