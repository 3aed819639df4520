# SPDX-License-Identifier: Apache-2.0
"""ReverseSteps: the vectors of a sequence, last one first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir
from qonnx.core.datatype import BaseDataType

from qnnc.compiler.dataflow import attributes
from qnnc.compiler.dataflow.base import NewNode, Ports, Range, Stream
from qnnc.compiler.dataflow.loops import Loop
from qnnc.compiler.ir.builder import Builder
from qnnc.nodes.shared.reordering.node import Reordering, ReorderingFolding


class ReverseSteps(Reordering):
    """Input x [1, T, C]; output [1, T, C], step t being step T - 1 - t of x. A whole sequence is
    held while the one before is read."""

    op_type = "ReverseSteps"
    kind = "image"
    input_types = ("datatype",)

    channels: int = attributes.integer("NumChannels")
    datatype: BaseDataType = attributes.integer_type("inputDataType")

    @classmethod
    def create(cls, *, steps: int, channels: int, x: BaseDataType) -> NewNode:
        """A sequence of `steps` vectors."""
        return cls.new(
            NumChannels=channels, numInputVectors=[1, steps], inputDataType=x.name, SIMD=1
        )

    def __init__(self, node: ir.Node) -> None:
        super().__init__(node)
        self.steps = self.vectors_shape[-1]

    @property
    def most_lanes(self) -> int:
        return self.channels

    def block_words(self, folding: ReorderingFolding) -> int:
        return self.steps * self.channels // folding.SIMD

    def first_word(self, folding: ReorderingFolding) -> int:
        return (self.steps - 1) * self.channels // folding.SIMD

    def loops(self, folding: ReorderingFolding) -> tuple[Loop, ...]:
        words = self.channels // folding.SIMD
        found = (Loop(words, 1), Loop(self.steps, -words))
        return tuple(loop for loop in found if loop.count > 1) or (Loop(1, 0),)

    def output_ranges(self, inputs: Sequence[Range]) -> list[Range]:
        return [inputs[0]]

    def ports(self, folding: ReorderingFolding) -> Ports:
        stream = Stream((1, self.steps, self.channels), self.datatype, folding.SIMD)
        return Ports((stream,), (stream,))

    def reference(self, b: Builder, inputs: Sequence[ir.Value]) -> list[ir.Value]:
        starts, ends, axes, steps = (
            b.constant([n], np.int64) for n in (-1, -(self.steps + 1), 1, -1)
        )
        return [b.op("Slice", inputs[0], starts, ends, axes, steps)]
