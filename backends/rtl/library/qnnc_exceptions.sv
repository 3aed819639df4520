// SPDX-License-Identifier: Apache-2.0
// A small set of keys and, for each, what to add to the result: a hash table of two
// ways, read at the same time. Each way is a table of 2**ABITS entries. A key's
// place in it is its low ABITS bits, scrambled with the others (place_0 and
// place_1, which the caller computes). An entry holds the other bits (the tag, TAG
// bits) and the value (two's complement, VALUE bits), 0 for an empty entry. Three
// cycles.
module qnnc_exceptions #(
    parameter integer ABITS = 4,
    parameter integer TAG = 8,
    parameter integer VALUE = 2,
    parameter integer STYLE = 0,
    parameter FILE_0 = "",
    parameter FILE_1 = ""
) (
    input  wire             aclk,
    input  wire [ABITS-1:0] place_0,
    input  wire [ABITS-1:0] place_1,
    input  wire [  TAG-1:0] tag,
    output reg  [VALUE-1:0] value
);
  reg  [ABITS-1:0] address_0, address_1;
  reg  [TAG-1:0] tag_q, tag_qq;
  wire [TAG+VALUE-1:0] entry_0, entry_1;
  qnnc_rom #(
      .WIDTH(TAG + VALUE),
      .DEPTH(1 << ABITS),
      .ABITS(ABITS),
      .STYLE(STYLE),
      .INIT_FILE(FILE_0)
  ) way_0 (
      .aclk(aclk),
      .address(address_0),
      .data(entry_0)
  );
  qnnc_rom #(
      .WIDTH(TAG + VALUE),
      .DEPTH(1 << ABITS),
      .ABITS(ABITS),
      .STYLE(STYLE),
      .INIT_FILE(FILE_1)
  ) way_1 (
      .aclk(aclk),
      .address(address_1),
      .data(entry_1)
  );
  wire hit_0 = entry_0[VALUE+:TAG] == tag_qq;
  wire hit_1 = entry_1[VALUE+:TAG] == tag_qq;
  always @(posedge aclk) begin
    address_0 <= place_0;
    address_1 <= place_1;
    tag_q <= tag;
    tag_qq <= tag_q;
    value <= (hit_0 ? entry_0[VALUE-1:0] : {VALUE{1'b0}}) |
        (hit_1 ? entry_1[VALUE-1:0] : {VALUE{1'b0}});
  end
endmodule
