// SPDX-License-Identifier: Apache-2.0
// The shell's general registers and the sequence of a run:
//
//   idle -> measure (lengths of all streams) -> check -> run -> idle
//
// A reset that the host asks for, in any state, first waits until the bus is idle
// and then resets the accelerator.
//
//   0x00 magic "QNNC"     0x04 outputs, inputs, version (8 bits each)
//   0x08 build id, low    0x0c build id, high
//   0x10 control: 0 start, 1 reset, 2 interrupt enable
//   0x14 status:  0 idle, 1 done (write 1 to clear), 2 error, 3 resetting
//   0x18 errors: 0 unaligned address, 1 buffer too short, 2 address out of
//        range, 3 read response, 4 write response, 5 started while busy,
//        6 stream or bus protocol, 7 bad register access
//   0x1c frames           0x20 frames done
//   0x24 cycles, low      0x28 cycles, high
module qnnc_shell_control #(
    parameter integer INPUTS = 1,
    parameter integer OUTPUTS = 1,
    parameter BUILD_ID_FILE = ""
) (
    input  wire        aclk,
    input  wire        aresetn,
    // registers
    input  wire        write,
    input  wire        read,
    input  wire [15:0] address,
    input  wire [31:0] write_data,
    input  wire        partial,
    input  wire [31:0] stream_data,
    input  wire        stream_known,
    output wire [31:0] read_data,
    output wire        irq,
    // streams
    output reg         clear,
    output reg         measure,
    output reg         measure_bit,
    output reg         begin_run,
    output wire        idle,
    output wire        running,
    output reg         stop,
    input  wire        quiet,
    input  wire        complete,
    input  wire        frame_done,
    input  wire [ 2:0] bad_buffer,
    input  wire [ 2:0] run_errors,
    // accelerator
    output reg         accelerator_resetn
);
  localparam [2:0] IDLE = 3'd0, MEASURE = 3'd1, CHECK = 3'd2, RUN = 3'd3, DRAIN = 3'd4, RESET = 3'd5;
  reg [2:0] state;
  reg [5:0] step;
  reg [31:0] frames, remaining, frames_done;
  reg [31:0] cycles_low, cycles_high;
  reg [7:0] errors;
  reg done, enable;
  wire general = address[15:6] == 10'd0;
  wire known = general ? address[5:2] < 4'd11 : stream_known;
  wire start = write & address == 16'h0010 & write_data[0];
  wire restart = write & address == 16'h0010 & write_data[1];
  wire [31:0] build_id;
  assign idle = state == IDLE;
  assign running = state == RUN;
  assign irq = done & enable;

  // In a memory, so that a new model does not need a new netlist, and as deep as a
  // LUT, so that every input of its LUTs is a signal.
  qnnc_rom #(
      .WIDTH(32),
      .DEPTH(64),
      .ABITS(6),
      .STYLE(2),
      .INIT_FILE(BUILD_ID_FILE)
  ) build_id_rom (
      .aclk(aclk),
      .address(address[7:2]),
      .data(build_id)
  );

  // errors that occur in this cycle, whatever the state
  wire [7:0] occurring = {
    partial | (write | read) & ~known,
    run_errors[2] & (running | idle),
    start & ~idle,
    run_errors[1:0] & {2{running}},
    bad_buffer & {3{state == CHECK & step == 6'd4}}
  };

  always @(posedge aclk) begin
    clear <= 1'b0;
    begin_run <= 1'b0;
    if (!aresetn) begin
      state <= RESET;
      step <= 6'd0;
      accelerator_resetn <= 1'b0;
      done <= 1'b0;
      enable <= 1'b0;
      errors <= 8'd0;
      measure <= 1'b0;
      stop <= 1'b0;
      clear <= 1'b1;
    end else begin
      errors <= errors | occurring;
      if (write & address == 16'h0010) enable <= write_data[2];
      if (write & address == 16'h0014 & write_data[1]) done <= 1'b0;
      step <= step + 6'd1;
      case (state)
        IDLE: begin
          step <= 6'd0;
          if (start) begin
            state <= MEASURE;
            errors <= 8'd0;
            done <= 1'b0;
            clear <= 1'b1;
          end
        end
        MEASURE:  // 32 steps, the highest bit of the frame count first
        if (step[5]) begin
          measure <= 1'b0;
          state <= CHECK;
          step <= 6'd0;
        end else begin
          measure <= 1'b1;
        end
        CHECK:
        if (step == 6'd4) begin
          if (|bad_buffer | frames == 32'd0) begin
            state <= IDLE;
            done  <= 1'b1;
          end else begin
            begin_run <= 1'b1;
          end
        end else if (begin_run) begin
          state <= RUN;
        end
        RUN:
        if (complete) begin
          state <= IDLE;
          done  <= 1'b1;
        end
        DRAIN:
        if (quiet) begin
          state <= RESET;
          step <= 6'd0;
          clear <= 1'b1;
          accelerator_resetn <= 1'b0;
        end
        default: begin  // RESET
          if (step[4]) begin
            accelerator_resetn <= 1'b1;
            stop <= 1'b0;
            state <= IDLE;
          end
        end
      endcase
      if (restart & state != DRAIN & state != RESET) begin
        state <= DRAIN;
        stop <= 1'b1;
        measure <= 1'b0;
        begin_run <= 1'b0;
        done <= 1'b0;
        errors <= 8'd0;
      end
    end
    measure_bit <= remaining[31];
    if (state == MEASURE) remaining <= remaining << 1;
    else remaining <= frames;
    if (write & address == 16'h001c & idle) frames <= write_data;
    if (clear) begin
      cycles_low  <= 32'd0;
      cycles_high <= 32'd0;
      frames_done <= 32'd0;
    end else if (running) begin
      cycles_low <= cycles_low + 32'd1;
      if (&cycles_low) cycles_high <= cycles_high + 32'd1;
      if (frame_done) frames_done <= frames_done + 32'd1;
    end
  end

  reg [31:0] word;
  always @(posedge aclk) begin
    case (address[5:2])
      4'd0: word <= 32'h514e4e43;
      4'd1: word <= {8'd0, OUTPUTS[7:0], INPUTS[7:0], 8'd1};
      4'd4: word <= {29'd0, enable, 2'b00};
      4'd5: word <= {28'd0, state == DRAIN | state == RESET, |errors, done, idle};
      4'd6: word <= {24'd0, errors};
      4'd7: word <= frames;
      4'd8: word <= frames_done;
      4'd9: word <= cycles_low;
      4'd10: word <= cycles_high;
      default: word <= 32'd0;
    endcase
  end
  // address arrives with `read`; each of these words is there one cycle later
  assign read_data = ~general ? stream_data : address[5:3] == 3'd1 ? build_id : word;
endmodule
