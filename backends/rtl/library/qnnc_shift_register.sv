// SPDX-License-Identifier: Apache-2.0
// WIDTH shift registers of 2**ABITS places, read at `address` (0 is the latest
// word): SRL16E or SRLC32E.
module qnnc_shift_register #(
    parameter integer WIDTH = 8,
    parameter integer ABITS = 4
) (
    input  wire             aclk,
    input  wire             shift,
    input  wire [WIDTH-1:0] in,
    input  wire [ABITS-1:0] address,
    output wire [WIDTH-1:0] out
);
  genvar i;
  generate
    for (i = 0; i < WIDTH; i = i + 1) begin : line
`ifdef QNNC_XILINX_MEMORY
      if (ABITS == 4) begin : srl16
        SRL16E #(
            .INIT(16'd0)
        ) srl (
            .CLK(aclk),
            .CE(shift),
            .D(in[i]),
            .A0(address[0]),
            .A1(address[1]),
            .A2(address[2]),
            .A3(address[3]),
            .Q(out[i])
        );
      end else begin : srl32
        SRLC32E #(
            .INIT(32'd0)
        ) srl (
            .CLK(aclk),
            .CE(shift),
            .D(in[i]),
            .A(address),
            .Q(out[i]),
            .Q31()
        );
      end
`else
      reg [(1<<ABITS)-1:0] places;
      always @(posedge aclk) if (shift) places <= {places[(1<<ABITS)-2:0], in[i]};
      assign out[i] = places[address];
`endif
    end
  endgenerate
endmodule
