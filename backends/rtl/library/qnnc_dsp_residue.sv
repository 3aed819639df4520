// SPDX-License-Identifier: Apache-2.0
// g = REST - (sum of COUNT products w * x), modulo 2**BITS, one cycle later.
// Weights come as their stored digits, which are one too small where the field
// below is negative (`below`).
module qnnc_dsp_residue #(
    parameter integer COUNT = 4,
    parameter integer BITS = 1,
    parameter integer X_BITS = 8,
    parameter integer X_SIGNED = 1,
    parameter integer W_BITS = 8,
    parameter integer W_SIGNED = 1,
    parameter [BITS-1:0] REST = {BITS{1'b0}}
) (
    input  wire                    aclk,
    input  wire [COUNT*X_BITS-1:0] x,
    input  wire [COUNT*W_BITS-1:0] w,
    input  wire [       COUNT-1:0] below,
    output reg  [        BITS-1:0] g
);
  // the sum of two products modulo 2 is a function of six bits
  localparam integer EACH = BITS == 1 ? 2 : 1;
  localparam integer PARTS = (COUNT + EACH - 1) / EACH;
  reg [PARTS*BITS-1:0] parts;
  wire [(PARTS*EACH)*BITS-1:0] products;

  genvar i;
  generate
    for (i = 0; i < PARTS * EACH; i = i + 1) begin : product
      if (i < COUNT) begin : used
        wire x_sign = X_SIGNED != 0 ? x[(i+1)*X_BITS-1] : 1'b0;
        wire w_sign = W_SIGNED != 0 ? w[(i+1)*W_BITS-1] : 1'b0;
        wire [BITS-1:0] x_i = BITS'($signed({x_sign, x[i*X_BITS+:X_BITS]}));
        wire [BITS-1:0] w_i = BITS'($signed({w_sign, w[i*W_BITS+:W_BITS]})) + BITS'(below[i]);
        assign products[i*BITS+:BITS] = w_i * x_i;
      end else begin : unused
        assign products[i*BITS+:BITS] = {BITS{1'b0}};
      end
    end
    for (i = 0; i < PARTS; i = i + 1) begin : part
      if (EACH == 2) begin : two
        always @(posedge aclk) parts[i*BITS+:BITS] <= products[2*i] ^ products[2*i+1];
      end else begin : one
        always @(posedge aclk) parts[i*BITS+:BITS] <= products[i*BITS+:BITS];
      end
    end
  endgenerate

  integer k;
  always @* begin
    g = REST;
    for (k = 0; k < PARTS; k = k + 1) g = g - parts[k*BITS+:BITS];
  end
endmodule
