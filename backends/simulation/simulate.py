# SPDX-License-Identifier: Apache-2.0
"""Running a stitched accelerator in simulation and comparing every stream of it."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qnnc.backends.design import Design, Port, Wire, whole_batches
from qnnc.backends.simulation import cxxrtl, verilator
from qnnc.backends.simulation.compiler import Compilation
from qnnc.compiler.building.options import ENGINES
from qnnc.compiler.errors import OptionError, ToolError, VerificationError
from qnnc.compiler.packing import pack_words, unpack_words
from qnnc.compiler.plugins import close_matches


@dataclass(frozen=True)
class Pressure:
    """How reluctant the outside world is.

    Attributes:
        source: percent of cycles in which a waiting input word is offered.
        sink: percent of cycles in which an output word is taken.
        seed: of the random choices.
    """

    source: int = 100
    sink: int = 100
    seed: int = 1


@dataclass(frozen=True)
class StreamResult:
    """One stream compared.

    Attributes:
        name: of the stream in the RTL.
        tensor: that it carries.
        elements: how many passed.
        mismatches: how many differ from the dataflow graph's.
        first: index of the first that differs, within its frame, and the frame, or None.
    """

    name: str
    tensor: str
    elements: int
    mismatches: int
    first: tuple[int, int] | None = None


@dataclass(frozen=True)
class SimulationResult:
    """A simulation of some frames.

    Attributes:
        engine: that ran it.
        frames: how many.
        cycles: in total.
        ii_cycles: cycles between frames, once the pipeline is full (None for one frame).
        latency_cycles: from the first input word to the first frame's last output word.
        streams: every stream compared.
        outputs: what came out, by tensor name.
        done: cycle at which each frame of an output was complete, by tensor name.
    """

    engine: str
    frames: int
    cycles: int
    ii_cycles: float | None
    latency_cycles: int
    streams: tuple[StreamResult, ...]
    outputs: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)
    done: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)

    @property
    def mismatches(self) -> int:
        """Elements that differ, over all streams."""
        return sum(stream.mismatches for stream in self.streams)


def choose_engine(engine: str) -> str:
    """`auto` is Verilator where it is installed, else CXXRTL.

    Raises:
        OptionError: no such engine.
        ToolError: Verilator is asked for and not installed.
    """
    if engine not in ENGINES:
        raise OptionError(
            f"unknown simulation engine {engine!r}{close_matches(engine, list(ENGINES))} "
            f"(known: {', '.join(ENGINES)})"
        )
    if engine == "auto":
        return "verilator" if verilator.installed() else "cxxrtl"
    if engine == "verilator":
        verilator.version()
    return engine


def build_program(design: Design, rtl: Path, engine: str, how: Compilation) -> Path:
    """Build the simulation's program with a chosen engine."""
    if engine == "verilator":
        return verilator.build(design, rtl, how)
    return cxxrtl.build(design, how)


def simulate(
    design: Design,
    program: Path,
    rtl: Path,
    engine: str,
    tensors: Mapping[str, NDArray[Any]],
    pressure: Pressure,
) -> SimulationResult:
    """Feed the accelerator and compare all streams with the dataflow graph's tensors.

    Frames are repeated up to whole batches, for nodes that work on several at once.

    Args:
        design: the accelerator.
        program: from `build_program`.
        rtl: folder with the memory files.
        tensors: integer tensors [frames, …] of the dataflow graph, by name.

    Raises:
        VerificationError: it comes to a stop, breaks the AXI-Stream protocol, or an assertion of
            the library fails (with Verilator).
    """
    tensors = whole_batches(tensors, design.batch)
    frames = tensors[str(design.inputs[0].value.name)].shape[0]
    with tempfile.TemporaryDirectory(prefix="qnnc-sim-") as name:
        folder = Path(name)
        for index, port in enumerate(design.inputs):
            data = tensors[str(port.value.name)]
            words = pack_words(data, port.stream.datatype, port.stream.lanes, _bytes(port))
            (folder / f"in_{index}.bin").write_bytes(words.tobytes())
        for index, weights in enumerate(design.weights, start=len(design.inputs)):
            words = np.zeros((len(weights.words), 4 * -(-weights.bytes // 4)), np.uint8)
            words[:, : weights.bytes] = weights.words
            (folder / f"in_{index}.bin").write_bytes(words.tobytes())
        cycles, first = _run(design, program, rtl, folder, frames, pressure)
        groups: list[tuple[str, Sequence[Port | Wire]]]
        groups = [("out", design.outputs), ("tap", design.wires)]
        streams, outputs = [], {}
        for kind, group in groups:
            for index, end in enumerate(group):
                found = _read(folder / f"{kind}_{index}.bin", end)
                streams.append(_compare(end, found, tensors, frames))
                if kind == "out":
                    # a border may have begun on the next frame, which needs no input yet
                    whole = found[: frames * end.stream.elements]
                    outputs[str(end.value.name)] = whole.reshape(frames, -1)
        ends = _frame_cycles(folder / "frames.txt", frames)
    done = np.max(np.stack(ends), axis=0)
    interval = _interval(done[design.batch - 1 :: design.batch])
    if interval is not None:
        interval /= design.batch
    return SimulationResult(
        engine,
        frames,
        cycles,
        interval,
        int(done[0]) - first + 1,
        tuple(streams),
        outputs,
        {str(p.value.name): found for p, found in zip(design.outputs, ends, strict=True)},
    )


def _interval(done: NDArray[np.int64]) -> float | None:
    """Cycles between batches that were complete at `done`; None for one."""
    count = len(done)
    if count < 2:
        return None
    start = count // 2 - 1 if count > 3 else 0  # the first fill the pipeline
    return float(done[-1] - done[start]) / (count - 1 - start)


def _bytes(end: Port | Wire) -> int:
    """Bytes of a word in the testbench's files: whole 32-bit numbers."""
    bits = end.bytes * 8 if isinstance(end, Port) else end.bits
    return 4 * (-(-bits // 32))


def _run(
    design: Design, program: Path, rtl: Path, folder: Path, frames: int, pressure: Pressure
) -> tuple[int, int]:
    words = [str(port.stream.words) for port in design.outputs]
    longest = max(
        i.node.cycles(i.node.folding()) + i.node.latency(i.node.folding()) for i in design.instances
    )
    reluctance = 100 * 100 // (max(1, pressure.source) * max(1, pressure.sink)) + 1
    patience = (2000 + 4 * longest) * (1 + reluctance)
    done = subprocess.run(
        [
            str(program),
            str(folder),
            str(pressure.seed),
            str(pressure.source),
            str(pressure.sink),
            str(patience),
            str(frames),
            *words,
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=rtl,
    )
    report = done.stdout.split()
    if done.returncode == 4 and report:
        raise VerificationError(
            f"the RTL simulation stopped at cycle {report[1]}: no stream moved for {patience} "
            "cycles"
        )
    if done.returncode == 5 and report:
        raise VerificationError(
            f"the RTL breaks the AXI-Stream protocol at cycle {report[1]}: output "
            f"{design.outputs[int(report[2])].name} changed before it was taken"
        )
    check_assertions(done.stdout + done.stderr)
    if done.returncode != 0 or len(report) != 3:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise ToolError(f"the simulation failed (code {done.returncode}): {reason}")
    return int(report[1]), int(report[2])


def check_assertions(text: str) -> None:
    """Raise if a simulator's output says that an assertion has failed.

    Raises:
        VerificationError: names the assertion, with its path.
    """
    failed = re.search(r"Assertion failed in (?:TOP\.)?([\w.\[\]]+)", text)
    if failed:
        raise VerificationError(f"an assertion of the RTL fails: {failed[1]}")


def _read(path: Path, end: Port | Wire) -> NDArray[np.int64]:
    words = np.fromfile(path, dtype=np.uint8).reshape(-1, _bytes(end))
    return unpack_words(words, end.stream.datatype, end.stream.lanes)


def _compare(
    end: Port | Wire, found: NDArray[np.int64], tensors: Mapping[str, NDArray[Any]], frames: int
) -> StreamResult:
    tensor = str(end.value.name)
    expected = np.rint(tensors[tensor].astype(np.float64)).astype(np.int64).reshape(-1)
    count = frames * end.stream.elements
    found = found[:count]  # a next frame's first words may be on their way
    bad = np.flatnonzero(found != expected[: found.size])
    missing = count - found.size
    first = None
    if bad.size:
        frame, element = divmod(int(bad[0]), end.stream.elements)
        first = (frame, element)
    return StreamResult(end.name, tensor, found.size, int(bad.size) + missing, first)


def _frame_cycles(path: Path, frames: int) -> list[NDArray[np.int64]]:
    """For each output the cycle at which each frame was complete."""
    rows = np.loadtxt(path, dtype=np.int64, ndmin=2)
    return [rows[rows[:, 0] == k, 1][:frames] for k in np.unique(rows[:, 0])]
