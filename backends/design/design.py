# SPDX-License-Identifier: Apache-2.0
"""The stitched accelerator: instances, streams, sources."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from qnnc.backends.design.module import Memory, NodeRtl
from qnnc.compiler.dataflow import DataflowNode, Stream
from qnnc.compiler.dataflow.memory_traffic import batch_of
from qnnc.compiler.files import new_folder

HEADER = "// SPDX-License-Identifier: Apache-2.0\n"


def used_files(texts: Iterable[str], parts: Mapping[str, str]) -> dict[str, str]:
    """The files of `parts` whose modules the texts instantiate, directly or through each other.

    A library file is named after its only module.
    """
    found: dict[str, str] = {}
    waiting = list(texts)
    while waiting:
        modules = re.findall(r"^\s*(qnnc_\w+)\b", waiting.pop(), re.MULTILINE)
        for name in {f"{module}.sv" for module in modules} & parts.keys() - found.keys():
            found[name] = parts[name]
            waiting.append(parts[name])
    return dict(sorted(found.items()))


@dataclass(frozen=True)
class Port:
    """An AXI-Stream of the accelerator; tdata is padded to whole bytes."""

    name: str
    stream: Stream
    value: ir.Value

    @property
    def bits(self) -> int:
        """Bits of tdata without padding."""
        return self.stream.bits

    @property
    def bytes(self) -> int:
        """Bytes of tdata."""
        return -(-self.stream.bits // 8)


@dataclass(frozen=True, eq=False)
class WeightPort:
    """An AXI-Stream of weights into the accelerator, the same words over and over.

    Attributes:
        name: of the stream.
        instance: number of the node that takes it.
        words: of one round, [words, bytes].
        rounds: per batch.
    """

    name: str
    instance: int
    words: NDArray[np.uint8]
    rounds: int = 1

    @property
    def bytes(self) -> int:
        """Bytes of a word."""
        return int(self.words.shape[1])

    @property
    def bits(self) -> int:
        """Bits of tdata."""
        return 8 * self.bytes

    @property
    def file(self) -> str:
        """Name of the file with the words, little-endian."""
        return f"{self.name}.bin"


@dataclass(frozen=True)
class Wire:
    """A stream between two nodes."""

    name: str
    stream: Stream
    value: ir.Value

    @property
    def bits(self) -> int:
        """Bits of a word."""
        return self.stream.bits


@dataclass(frozen=True)
class Instance:
    """A node in the stitched accelerator.

    Attributes:
        name: of the instance.
        node: that it is.
        rtl: its module.
        streams: name of the stream at each of the module's ports that has one.
    """

    name: str
    node: DataflowNode
    rtl: NodeRtl
    streams: Mapping[str, str] = field(default_factory=dict)

    def files(self) -> dict[str, tuple[str, Memory]]:
        """File name and contents of each memory, by parameter."""
        return {
            parameter: (f"{self.name}_{parameter.removesuffix('_FILE').lower()}.mem", memory)
            for parameter, memory in self.rtl.memories.items()
        }


@dataclass(frozen=True)
class Design:
    """The accelerator in SystemVerilog.

    Attributes:
        top: name of the top module.
        top_text: its text.
        instances: the nodes in topological order.
        wires: streams between nodes, in the order of the taps.
        inputs: AXI-Streams in.
        outputs: AXI-Streams out.
        parts: text of every library file there is, and of the macros of their assertions, by file
            name.
        weights: AXI-Streams of weights into it.
    """

    top: str
    top_text: str
    instances: tuple[Instance, ...]
    wires: tuple[Wire, ...]
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    parts: Mapping[str, str]
    weights: tuple[WeightPort, ...] = ()

    @property
    def entries(self) -> list[Port | WeightPort]:
        """AXI-Streams into it, those of weights last."""
        return [*self.inputs, *self.weights]

    @property
    def batch(self) -> int:
        """Frames that go in before the first comes out: a multiple of it enters as a whole."""
        return batch_of(i.node for i in self.instances)

    @property
    def modules(self) -> dict[str, str]:
        """Text of each distinct generated module."""
        return {i.rtl.module: i.rtl.text for i in self.instances}

    @cached_property
    def library(self) -> dict[str, str]:
        """Text of each library file that the design uses."""
        return self.library_for(self.modules.values())

    def library_for(self, texts: Iterable[str]) -> dict[str, str]:
        """Library files that the texts use, directly or through each other."""
        return used_files(texts, self.parts)

    @property
    def macros(self) -> dict[str, str]:
        """Files that library files include where QNNC_ASSERTIONS is defined, by name."""
        return {name: text for name, text in self.parts.items() if name.endswith(".svh")}

    @property
    def sources(self) -> dict[str, str]:
        """Every SystemVerilog file of the design, by name."""
        generated = {f"{name}.sv": HEADER + text for name, text in self.modules.items()}
        return {**self.library, **generated, f"{self.top}.sv": HEADER + self.top_text}

    def with_rtl(self, index: int, rtl: NodeRtl) -> Design:
        """The design with another module, of the same ports, for instance `index`."""
        instance = self.instances[index]
        found = re.compile(
            rf"^(\s*){re.escape(instance.rtl.module)}(?: #\([^;]*?\n  \))? "
            rf"{re.escape(instance.name)} \(",
            re.MULTILINE,
        )
        text, count = found.subn(rf"\g<1>{rtl.module} {instance.name} (", self.top_text)
        assert count == 1, instance.name
        assert not rtl.memories
        instances = list(self.instances)
        instances[index] = replace(instance, rtl=rtl)
        return replace(self, top_text=text, instances=tuple(instances))

    def memory_files(self) -> dict[str, Memory]:
        """Contents of each memory, by file name."""
        return {file: memory for i in self.instances for file, memory in i.files().values()}

    def write(self, folder: Path) -> None:
        """Write all sources into a new folder: SystemVerilog, memory files, weight streams."""
        with new_folder(folder) as out:
            for name, text in self.sources.items():
                (out / name).write_text(text, encoding="utf-8")
            for name, memory in self.memory_files().items():
                (out / name).write_text(memory.text(), encoding="utf-8")
            for port in self.weights:
                (out / port.file).write_bytes(port.words.tobytes())
