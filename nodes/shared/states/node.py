# SPDX-License-Identifier: Apache-2.0
"""What PreviousStates and NextStates share: the states of a recurrence as streams."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import onnx_ir as ir
from qonnx.core.datatype import BaseDataType

from qnnc.compiler.dataflow import attributes
from qnnc.compiler.dataflow.attributes import Attribute
from qnnc.compiler.dataflow.base import DataflowNode, Range, Stream, divisors
from qnnc.compiler.dataflow.folding import Folding
from qnnc.compiler.datatypes import smallest_type

MOST_LANES = 16


def lanes_of(channels: int) -> int:
    """Elements of a word: a vector in a few cycles, in words that are not too wide."""
    return max(d for d in divisors(channels) if d <= MOST_LANES)


@dataclass(frozen=True, kw_only=True)
class Recurrence:
    """What both ends of a recurrence declare.

    Attributes:
        loop: its name.
        steps: T, vectors of a sequence.
        channels: elements of each state.
        ranges: of each state: what its quantizer and its initial value may give.
    """

    loop: str
    steps: int
    channels: tuple[int, ...]
    ranges: tuple[Range, ...]

    def attributes(self, end: Literal["read", "write"]) -> dict[str, Attribute]:
        """Of the node at one end."""
        return {
            "NumChannels": list(self.channels),
            "low": [r.least for r in self.ranges],
            "high": [r.greatest for r in self.ranges],
            "numInputVectors": [1, self.steps],
            "loop": self.loop,
            "loop_end": end,
        }


class States(DataflowNode[Folding]):
    """Sequences [1, T, C] of states, each a stream of its own.

    Both ends of a recurrence have the same words, so that what comes back needs no converter.
    """

    kind = "other"
    folding_type = Folding
    input_types = ()
    output_types = ()

    channels: tuple[int, ...] = attributes.integers("NumChannels")
    lows: tuple[int, ...] = attributes.integers("low")
    highs: tuple[int, ...] = attributes.integers("high")
    loop: str = attributes.text("loop")

    def __init__(self, node: ir.Node) -> None:
        super().__init__(node)
        self.steps = self.vectors_shape[-1]
        self.ranges = [Range.of(a, b) for a, b in zip(self.lows, self.highs, strict=True)]
        self.types: list[BaseDataType] = [smallest_type(r.least, r.greatest) for r in self.ranges]

    @property
    def states(self) -> list[Stream]:
        """The stream of each state, on its declared range."""
        return [
            Stream((1, self.steps, channels), kind, lanes_of(channels))
            for channels, kind in zip(self.channels, self.types, strict=True)
        ]
