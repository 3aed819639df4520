# SPDX-License-Identifier: Apache-2.0
"""A shell around an accelerator that inverts its streams, and a host at its registers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray
from qonnx.core.datatype import DataType

from qnnc.backends.bitstream.shell import Shell, make_shell
from qnnc.backends.bitstream.shell.shell import REGISTERS, shell_over
from qnnc.backends.bitstream.simulated.board import Bus, SimulatedBoard
from qnnc.backends.bitstream.simulated.program import build_board
from qnnc.backends.design import Design, Port
from qnnc.backends.rtl.stitch import library
from qnnc.backends.simulation import verilator
from qnnc.backends.simulation.compiler import Compilation
from qnnc.compiler.board import find_board
from qnnc.compiler.dataflow import Stream

Bytes = NDArray[np.uint8]
BUILD_ID = 0x0123456789ABCDEF


def inverter(streams: Sequence[tuple[int, int]], places: Sequence[int] | None = None) -> Shell:
    """A shell with an input and an output for each (bits, words per frame); what comes out is what
    went in with every bit inverted. Inputs come over the ports that `places` says."""

    def port(base: str, index: int) -> Port:
        bits, words = streams[index]
        name = base if len(streams) == 1 else f"{base}_{index}"
        stream = Stream((1, words), DataType[f"UINT{bits}"], 1)
        return Port(name, stream, ir.Value(name=name))

    inputs = [port("s_axis", i) for i in range(len(streams))]
    outputs = [port("m_axis", i) for i in range(len(streams))]
    ports = ["input aclk", "input aresetn"]
    body = []
    for source, target in zip(inputs, outputs, strict=True):
        width = source.bytes * 8
        for name, way, back in ((source.name, "input", "output"), (target.name, "output", "input")):
            ports += [f"{way} [{width - 1}:0] {name}_tdata", f"{way} {name}_tvalid"]
            ports += [f"{back} {name}_tready"]
        connections = ", ".join(
            f".s_axis_{s}({source.name}_{s}), .m_axis_{s}({'kept' if s == 'tdata' else target.name}"
            f"_{target.name}_{s})"
            if s == "tdata"
            else f".s_axis_{s}({source.name}_{s}), .m_axis_{s}({target.name}_{s})"
            for s in ("tdata", "tvalid", "tready")
        )
        body.append(
            f"  wire [{width - 1}:0] kept_{target.name}_tdata;\n"
            f"  qnnc_fifo #(.WIDTH({width}), .DEPTH(4)) fifo_{target.name} "
            f"(.aclk(aclk), .aresetn(aresetn), {connections});\n"
            f"  assign {target.name}_tdata = ~kept_{target.name}_tdata;"
        )
    text = "module qnnc_accelerator ({});\n{}\nendmodule\n".format(
        ", ".join(ports), "\n".join(body)
    )
    design = Design("qnnc_accelerator", text, (), (), tuple(inputs), tuple(outputs), library())
    board = find_board("Pynq-Z1")
    if places is None:
        return make_shell(design, board, BUILD_ID)
    return shell_over(design, board, BUILD_ID, places)


def mixer(words: int, places: Sequence[int]) -> Shell:
    """A shell with an input of 64 bits for each of `places`, read over that port, and one output:
    their exclusive or."""
    stream = Stream((1, words), DataType["UINT64"], 1)
    inputs = [Port(f"s_axis_{i}", stream, ir.Value(name=f"s_axis_{i}")) for i in range(len(places))]
    output = Port("m_axis", stream, ir.Value(name="m_axis"))
    ports = ["input aclk", "input aresetn", "output [63:0] m_axis_tdata", "output m_axis_tvalid"]
    ports.append("input m_axis_tready")
    for port in inputs:
        ports += [f"input [63:0] {port.name}_tdata", f"input {port.name}_tvalid"]
        ports += [f"output {port.name}_tready"]
    body = [f"  assign {port.name}_tready = m_axis_tready & m_axis_tvalid;\n" for port in inputs]
    for signal, operator in (("tdata", "^"), ("tvalid", "&")):
        terms = f" {operator} ".join(f"{port.name}_{signal}" for port in inputs)
        body.append(f"  assign m_axis_{signal} = {terms};\n")
    text = "module qnnc_accelerator ({});\n{}endmodule\n".format(", ".join(ports), "".join(body))
    design = Design("qnnc_accelerator", text, (), (), tuple(inputs), (output,), library())
    return shell_over(design, find_board("Pynq-Z1"), BUILD_ID, places)


def engines() -> list[str]:
    """The simulators at hand."""
    return ["cxxrtl", *(["verilator"] if verilator.installed() else [])]


def compiled(shell: Shell, folder: Path, cache: Path, engine: str) -> Path:
    """The simulated board's program; its sources lie in `folder`/rtl."""
    (folder / "work").mkdir(parents=True)
    return build_board(
        shell, folder / "rtl", engine, Compilation(folder / "work", cache, 2, short=True)
    )


class Host:
    """Registers and buffers of a simulated board."""

    def __init__(self, shell: Shell, program: Path, rtl: Path, bus: Bus | None = None) -> None:
        self.shell = shell
        self.board = SimulatedBoard(program, rtl, bus)
        self.random = np.random.default_rng(1)
        self.buffers: list[tuple[int, Bytes]] = []

    def __enter__(self) -> Host:
        return self

    def __exit__(self, *_: object) -> None:
        self.board.close()

    def get(self, offset: int) -> int:
        return self.board.read(REGISTERS + offset)

    def put(self, offset: int, value: int) -> None:
        self.board.write(REGISTERS + offset, value)

    @property
    def status(self) -> int:
        return self.get(0x14)

    @property
    def errors(self) -> int:
        return self.get(0x18)

    def prepare(self, frames: int, shift: int = 0) -> None:
        """Fresh buffers for a run, `shift` bytes into their memory, random inputs, outputs with
        a pattern in them and after them."""
        self.buffers = []
        self.put(0x1C, frames)
        for stream in self.shell.streams:
            size = -(-stream.frame_bytes * frames // 8) * 8
            address, data = self.board.allocate(size + shift + 64)
            data[:] = self.random.integers(0, 256, data.size) if stream.is_input else 0xA5
            self.buffers.append((address + shift, data[shift:]))
            self.put(stream.registers, address + shift)
            self.put(stream.registers + 4, size)

    def wait(self, bit: int = 2, limit: int = 4000) -> int:
        """Wait for a bit of the status."""
        for _ in range(limit):
            status = self.status
            if status & bit:
                return status
            self.board.advance(100)
        raise AssertionError(f"status {self.status:#x}, errors {self.errors:#x}")

    def expect_inverted(self, frames: int) -> None:
        """Outputs are the inverted inputs, and nothing after them was touched."""
        inputs = len(self.shell.inputs)
        for stream, (_, data), (_, given) in zip(
            self.shell.outputs, self.buffers[inputs:], self.buffers[:inputs], strict=True
        ):
            size = stream.frame_bytes * frames
            carried = stream.bits // 8  # of each word's bytes in memory; the rest is zero
            words = given[:size].reshape(-1, stream.memory_bytes)
            wanted = np.zeros_like(words)
            wanted[:, :carried] = ~words[:, :carried]
            assert np.array_equal(data[:size].reshape(wanted.shape), wanted)
            assert np.all(data[size:] == 0xA5)

    def run(self, frames: int, shift: int = 0) -> None:
        """One good run."""
        self.prepare(frames, shift)
        self.put(0x10, 1)
        assert self.wait() & 0b0110 == 0b0010
        self.expect_inverted(frames)
        assert self.get(0x20) == frames
