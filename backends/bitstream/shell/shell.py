# SPDX-License-Identifier: Apache-2.0
"""Generating the shell around a stitched accelerator of any number of streams."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from qnnc.backends.design import LUTS, Design, Memory, Port, WeightPort, used_files
from qnnc.compiler.board import Board
from qnnc.compiler.dataflow.memory_traffic import batch_cycles
from qnnc.compiler.errors import TargetError
from qnnc.compiler.files import new_folder
from qnnc.compiler.memory_ports import (
    MAX_STREAMS,
    PORT_ORDER,
    MemoryPorts,
    Traffic,
    assign,
    word_bytes,
)

MODULE, TOP = "qnnc_shell", "qnnc_top"
BUILD_ID_FILE = "build_id.mem"
REGISTERS = 0x43C00000
"""Address of the registers, in the range of GP0."""
MEMORY_LOW = 0x00100000
"""The DDR memory below is not open to the programmable logic (UG585, table 4-1)."""
LOOP_STEP = 128
"""Bytes of a longest burst, at whose multiples bursts end."""


@dataclass(frozen=True)
class ShellStream:
    """A stream of the accelerator as the shell sees it.

    Attributes:
        name: of the AXI-Stream.
        is_input: into the accelerator.
        number: among those of its port that are read, or among outputs; its AXI id.
        index: among all, inputs first; places its registers.
        bits: of tdata.
        words: a run of one: of a frame, or, if the accelerator takes in several frames at once,
            of a batch.
        port: of the stitched accelerator.
        port_index: which of the shell's memory ports it uses.
    """

    name: str
    is_input: bool
    number: int
    index: int
    bits: int
    words: int
    port: Port | WeightPort
    port_index: int = 0

    @property
    def is_weights(self) -> bool:
        """The same words come over and over."""
        return isinstance(self.port, WeightPort)

    @property
    def copies(self) -> int:
        """How often the words of a round of weights lie in memory, one after the other, so that
        they end at a multiple of 128 bytes."""
        return LOOP_STEP // math.gcd(LOOP_STEP, self.round_bytes)

    @property
    def round_bytes(self) -> int:
        """Bytes of weights that are read over and over; 0 for frames."""
        return int(self.port.words.size) if isinstance(self.port, WeightPort) else 0

    @property
    def loop(self) -> int:
        """Bytes of weights in memory that are read over and over; 0 for frames."""
        return self.copies * self.round_bytes if self.is_weights else 0

    @property
    def memory_bytes(self) -> int:
        """Bytes of a word in memory."""
        return word_bytes(self.bits)

    @property
    def frame_bytes(self) -> int:
        """Bytes of `words` in memory; frames follow each other without gaps."""
        return self.memory_bytes * self.words

    @property
    def dma_cycles(self) -> float:
        """Cycles that moving a frame takes at least: 8 bytes, or a word, per cycle."""
        return max(self.frame_bytes / 8, self.words)

    @property
    def registers(self) -> int:
        """Offset of its registers."""
        return 0x40 + 0x20 * self.index


@dataclass(frozen=True)
class MemoryPort:
    """A port of the shell to memory: an AXI3 master.

    Attributes:
        number: of S_AXI_HP0 to S_AXI_HP3.
        readers: streams that are read over it.
    """

    number: int
    readers: int

    @property
    def name(self) -> str:
        """The processing system's port."""
        return f"HP{self.number}"

    @property
    def suffix(self) -> str:
        """Of the shell's signals for it."""
        return str(self.number or "")

    @property
    def bus(self) -> str:
        """The shell's port: hp for HP0, hp2 for HP2."""
        return f"hp{self.suffix}"


@dataclass(frozen=True)
class Shell:
    """The shell of a design.

    Attributes:
        design: the accelerator.
        streams: inputs, then outputs.
        text: SystemVerilog of the generated module.
        build_id: 64 bits that name model and settings.
        memory_top: end of the board's memory.
        ports: to memory; the first one writes, too.
    """

    design: Design
    streams: tuple[ShellStream, ...]
    text: str
    build_id: int
    memory_top: int
    ports: tuple[MemoryPort, ...]

    @property
    def batch(self) -> int:
        """Frames that make what the registers call one."""
        return self.design.batch

    @property
    def inputs(self) -> list[ShellStream]:
        """Streams into the accelerator, those of weights last."""
        return [stream for stream in self.streams if stream.is_input]

    @property
    def outputs(self) -> list[ShellStream]:
        """Streams out of it."""
        return [stream for stream in self.streams if not stream.is_input]

    @property
    def build_id_memory(self) -> Memory:
        """What the register of the build id reads."""
        mask = (1 << 32) - 1
        words = [0, 0, self.build_id & mask, self.build_id >> 32, *60 * [0]]
        return Memory(words, 32, LUTS, "control.build_id_rom")

    @cached_property
    def sources(self) -> dict[str, str]:
        """SystemVerilog of the shell and what it uses of the library, without the accelerator's
        own modules and without the top at the PS7."""
        parts = {**self.design.parts, **library()}
        own = {f"{MODULE}.sv": self.text}
        return dict(sorted({**own, **used_files([self.text], parts)}.items()))

    @cached_property
    def top_sources(self) -> dict[str, str]:
        """`sources` with the top at the PS7."""
        top = _environment().get_template(f"{TOP}.sv.j2").render(ports=self.ports)
        return {**self.sources, f"{TOP}.sv": top}

    def write(self, folder: Path) -> None:
        """Write everything that a flow takes into a new folder: shell, accelerator, top and
        memory files."""
        texts = {**self.design.sources, **self.top_sources}
        memories = {**self.design.memory_files(), BUILD_ID_FILE: self.build_id_memory}
        with new_folder(folder) as out:
            for name, text in texts.items():
                (out / name).write_text(text, encoding="utf-8")
            for name, memory in memories.items():
                (out / name).write_text(memory.text(), encoding="utf-8")


@lru_cache(maxsize=1)
def library() -> dict[str, str]:
    """Text of every file of the shell's own library, by name."""
    folder = files("qnnc.backends.bitstream.shell").joinpath("library")
    return {
        file.name: file.read_text(encoding="utf-8")
        for file in sorted(folder.iterdir(), key=lambda f: f.name)
        if file.name.endswith(".sv")
    }


def make_shell(
    design: Design, board: Board, build_id: int, clock_mhz: float | None = None
) -> Shell:
    """Generate the shell of an accelerator.

    Args:
        clock_mhz: of the accelerator; the board's own by default.

    Raises:
        TargetError: more streams than the registers have room for.
    """
    places = memory_places(design, board.memory(clock_mhz or board.clock_mhz))
    return shell_over(design, board, build_id, places)


def shell_over(design: Design, board: Board, build_id: int, places: Sequence[int]) -> Shell:
    """The same with streams at given ports.

    Args:
        places: for each stream into the accelerator, the place of its port in PORT_ORDER; no port
            before the last may be left out.

    Raises:
        TargetError: more streams than the registers have room for.
    """
    streams = _streams(design)
    if len(streams) > MAX_STREAMS:
        raise TargetError(
            f"the accelerator has {len(streams)} streams; the shell takes {MAX_STREAMS}"
        )
    ports = tuple(
        MemoryPort(number, places.count(place))
        for place, number in enumerate(PORT_ORDER[: max(places, default=0) + 1])
    )
    into = [
        replace(stream, number=places[:i].count(place), port_index=place)
        for i, (stream, place) in enumerate(
            zip((s for s in streams if s.is_input), places, strict=True)
        )
    ]
    out = [stream for stream in streams if not stream.is_input]
    memory_top = board.ddr_mbyte << 20
    text = (
        _environment()
        .get_template("shell.sv.j2")
        .render(
            inputs=into,
            outputs=out,
            ports=ports,
            accelerator=design.top,
            build_id_file=BUILD_ID_FILE,
            registers=REGISTERS,
            memory_low=MEMORY_LOW,
            memory_top=memory_top,
        )
    )
    return Shell(design, (*into, *out), text, build_id, memory_top, ports)


def memory_places(design: Design, memory: MemoryPorts) -> tuple[int, ...]:
    """For each stream that is read, the place in PORT_ORDER of its port."""
    streams = _streams(design)
    into = [s for s in streams if s.is_input]
    traffic = Traffic(
        tuple(s.frame_bytes for s in into if not s.is_weights),
        tuple(s.frame_bytes for s in into if s.is_weights),
        tuple(s.frame_bytes for s in streams if not s.is_input),
        batch_cycles([i.node for i in design.instances], design.batch),
    )
    return assign(traffic, memory).ports


def _streams(design: Design) -> list[ShellStream]:
    """All streams, inputs first, as if there were one port."""
    into = design.entries
    return [
        ShellStream(
            port.name,
            index < len(into),
            index if index < len(into) else index - len(into),
            index,
            port.bytes * 8,
            len(port.words) * port.rounds
            if isinstance(port, WeightPort)
            else port.stream.words * design.batch,
            port,
        )
        for index, port in enumerate([*into, *design.outputs])
    ]


def build_id(design: Design, *more: str) -> int:
    """64 bits of a hash over the accelerator's sources, its memories' contents and settings."""
    state = hashlib.sha256()
    contents = {name: memory.text() for name, memory in design.memory_files().items()}
    for name, text in sorted({**design.sources, **contents}.items()):
        state.update(f"{name}\0{text}\0".encode())
    for port in design.weights:
        state.update(port.words.tobytes())
    for text in more:
        state.update(f"{text}\0".encode())
    return int.from_bytes(state.digest()[:8], "little")


def template(name: str) -> Template:
    """A template of the shell's."""
    return _environment().get_template(name)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("qnnc.backends.bitstream.shell"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - SystemVerilog; names are the stitcher's own
    )
