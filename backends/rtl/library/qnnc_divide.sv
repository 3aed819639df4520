// SPDX-License-Identifier: Apache-2.0
// floor((2 * scaled + ROUNDING * sum) / (2 * sum)), a bit of the quotient per cycle from
// the highest on, QUOTIENT + 1 cycles in all; a new one may begin in every cycle. The
// quotient has to be less than 2**QUOTIENT.
module qnnc_divide #(
    parameter integer SCALED = 27,
    parameter integer SUM = 26,
    parameter integer QUOTIENT = 4,
    parameter integer ROUNDING = 1
) (
    input  wire                aclk,
    input  wire [  SCALED-1:0] scaled,
    input  wire [     SUM-1:0] sum,
    output wire [QUOTIENT-1:0] quotient
);
  localparam integer D = SUM + 1;  // bits of the divisor
  // stage k has found all bits of the quotient from k on; the rest is less than the
  // divisor times 2**k
  generate
    genvar k;
    for (k = QUOTIENT; k >= 0; k = k - 1) begin : stage
      reg [QUOTIENT-1:0] found;
      if (k == QUOTIENT) begin : first
        always @(posedge aclk) found <= {QUOTIENT{1'b0}};
      end else begin : next
        wire [D:0] part = stage[k+1].keeps.rest[k+:D+1];
        // less than the divisor, or below zero by at most that: the top bit is the sign
        wire [D:0] less = part - {1'b0, stage[k+1].keeps.divisor};
        wire fits = ~less[D];
        always @(posedge aclk) found <= stage[k+1].found | QUOTIENT'(fits) << k;
      end
      if (k > 0) begin : keeps
        reg [D+k-1:0] rest;
        reg [D-1:0] divisor;
        if (k == QUOTIENT) begin : begins
          always @(posedge aclk) begin
            rest <= (D + k)'({scaled, 1'b0}) + (ROUNDING == 1 ? (D + k)'(sum) : (D + k)'(0))
                + (ROUNDING == 2 ? (D + k)'({sum, 1'b0}) : (D + k)'(0));
            divisor <= {sum, 1'b0};
          end
        end else begin : goes_on
          wire [D-1:0] left = D'(stage[k].next.fits ? stage[k].next.less : stage[k].next.part);
          always @(posedge aclk) begin
            rest <= {left, stage[k+1].keeps.rest[k-1:0]};
            divisor <= stage[k+1].keeps.divisor;
          end
        end
      end
    end
  endgenerate
  assign quotient = stage[0].found;
endmodule
