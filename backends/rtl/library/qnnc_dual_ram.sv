// SPDX-License-Identifier: Apache-2.0
// Memory with one write port and one read port, never at the same address in
// the same cycle. Data is out one cycle behind `read`, two with OUTPUT_REGISTER.
// BLOCK: in block RAM, in an FPGA in columns of RAMB18E1, which synthesis takes
// as they are.
module qnnc_dual_ram #(
    parameter integer WIDTH = 18,
    parameter integer DEPTH = 1024,
    parameter integer ABITS = 10,
    parameter integer BLOCK = 0,
    parameter integer OUTPUT_REGISTER = 0
) (
    input  wire             aclk,
    input  wire             write,
    input  wire [ABITS-1:0] write_address,
    input  wire [WIDTH-1:0] write_data,
    input  wire             read,
    input  wire [ABITS-1:0] read_address,
    output wire [WIDTH-1:0] read_data
);
`ifdef QNNC_XILINX_MEMORY
  localparam integer PRIMITIVES = BLOCK;
`else
  localparam integer PRIMITIVES = 0;
`endif
  generate
    if (PRIMITIVES == 0) begin : inferred
      wire [WIDTH-1:0] word;
      qnnc_ram #(
          .WIDTH(WIDTH),
          .DEPTH(DEPTH),
          .ABITS(ABITS),
          .BLOCK(BLOCK)
      ) ram (
          .aclk(aclk),
          .write(write),
          .write_address(write_address),
          .write_data(write_data),
          .read(read),
          .read_address(read_address),
          .read_data(word)
      );
      qnnc_delay #(
          .WIDTH(WIDTH),
          .CYCLES(OUTPUT_REGISTER)
      ) output_register (
          .aclk(aclk),
          .in(word),
          .out(read_data)
      );
    end
`ifdef QNNC_XILINX_MEMORY
    else begin : columns
      localparam integer W =
          DEPTH <= 1024 ? 18 : DEPTH <= 2048 ? 9 : DEPTH <= 4096 ? 4 : DEPTH <= 8192 ? 2 : 1;
      localparam integer COLUMNS = (WIDTH + W - 1) / W;
      wire [COLUMNS*W-1:0] in = write_data;
      wire [COLUMNS*W-1:0] out;
      assign read_data = out[WIDTH-1:0];
      genvar i;
      for (i = 0; i < COLUMNS; i = i + 1) begin : column
        qnnc_ramb18_dual #(
            .W(W),
            .ABITS(ABITS),
            .OUTPUT_REGISTER(OUTPUT_REGISTER)
        ) ram (
            .aclk(aclk),
            .write(write),
            .write_address(write_address),
            .write_data(in[i*W+:W]),
            .read(read),
            .read_address(read_address),
            .read_data(out[i*W+:W])
        );
      end
    end
`endif
  endgenerate
endmodule

`ifdef QNNC_XILINX_MEMORY
// Port A reads, port B writes.
(* keep_hierarchy *)
module qnnc_ramb18_dual #(
    parameter integer W = 18,
    parameter integer ABITS = 10,
    parameter integer OUTPUT_REGISTER = 0
) (
    input  wire             aclk,
    input  wire             write,
    input  wire [ABITS-1:0] write_address,
    input  wire [    W-1:0] write_data,
    input  wire             read,
    input  wire [ABITS-1:0] read_address,
    output wire [    W-1:0] read_data
);
  // A RAMB18E1 address counts single bits, parity not included.
  localparam integer SHIFT = W == 18 ? 4 : W == 9 ? 3 : W == 4 ? 2 : W == 2 ? 1 : 0;
  wire [ABITS+13:0] wide_read = {14'd0, read_address};
  wire [ABITS+13:0] wide_write = {14'd0, write_address};
  wire [13:0] address_a = wide_read[13:0] << SHIFT;
  wire [13:0] address_b = wide_write[13:0] << SHIFT;
  wire [15:0] low_out, low_in;
  wire [1:0] parity_out, parity_in;
  generate
    if (W == 18) begin : words_18
      assign read_data = {parity_out, low_out};
      assign {parity_in, low_in} = write_data;
    end else if (W == 9) begin : words_9
      assign read_data = {parity_out[0], low_out[7:0]};
      assign low_in = {8'd0, write_data[7:0]};
      assign parity_in = {1'b0, write_data[8]};
    end else begin : narrow
      assign read_data = low_out[W-1:0];
      assign low_in = {{16 - W{1'b0}}, write_data};
      assign parity_in = 2'd0;
    end
  endgenerate

  RAMB18E1 #(
      .RAM_MODE("TDP"),
      .READ_WIDTH_A(W),
      .READ_WIDTH_B(W),
      .WRITE_WIDTH_A(W),
      .WRITE_WIDTH_B(W),
      .DOA_REG(OUTPUT_REGISTER),
      .DOB_REG(0)
  ) ram (
      .CLKARDCLK(aclk),
      .CLKBWRCLK(aclk),
      .ADDRARDADDR(address_a),
      .ADDRBWRADDR(address_b),
      .ENARDEN(read),
      .ENBWREN(write),
      .REGCEAREGCE(1'b1),
      .REGCEB(1'b0),
      .RSTRAMARSTRAM(1'b0),
      .RSTRAMB(1'b0),
      .RSTREGARSTREG(1'b0),
      .RSTREGB(1'b0),
      .WEA(2'b00),
      .WEBWE(4'b1111),
      .DIADI(16'd0),
      .DIBDI(low_in),
      .DIPADIP(2'd0),
      .DIPBDIP(parity_in),
      .DOADO(low_out),
      .DOBDO(),
      .DOPADOP(parity_out),
      .DOPBDOP()
  );
endmodule
`endif
