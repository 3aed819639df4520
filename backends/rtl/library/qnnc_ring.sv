// SPDX-License-Identifier: Apache-2.0
// A circular buffer of DEPTH words: `oldest` is the word that went in DEPTH steps
// ago.
module qnnc_ring #(
    parameter integer WIDTH = 8,
    parameter integer DEPTH = 4
) (
    input  wire             aclk,
    input  wire             aresetn,
    input  wire             step,
    input  wire [WIDTH-1:0] newest,
    output wire [WIDTH-1:0] oldest
);
  generate
    if (DEPTH == 1) begin : single
      reg [WIDTH-1:0] word;
      always @(posedge aclk) if (step) word <= newest;
      assign oldest = word;
    end else begin : many
      localparam integer ABITS = $clog2(DEPTH);
      localparam [ABITS-1:0] LAST = ABITS'(DEPTH - 1);
      reg [ABITS-1:0] place;
      (* ram_style = "distributed" *) reg [WIDTH-1:0] mem[0:DEPTH-1];
      assign oldest = mem[place];
      always @(posedge aclk) if (step) mem[place] <= newest;
      always @(posedge aclk)
        if (!aresetn) place <= {ABITS{1'b0}};
        else if (step) place <= place == LAST ? {ABITS{1'b0}} : place + 1'b1;
    end
  endgenerate
endmodule
