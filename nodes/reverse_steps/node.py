# SPDX-License-Identifier: Apache-2.0
"""ReverseSteps: the vectors of a sequence, last one first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import onnx_ir as ir
from qonnx.core.datatype import BaseDataType

from qnnc.compiler.dataflow.base import Folding, NewNode, Ports, Range, Stream, divisors
from qnnc.compiler.dataflow.loops import Loop
from qnnc.compiler.ir.builder import Builder
from qnnc.nodes.shared.reordering.node import Reordering


class ReverseSteps(Reordering):
    """Input x [1, T, C]; output [1, T, C], step t being step T - 1 - t of x. A whole sequence is
    held while the one before is read."""

    op_type = "ReverseSteps"
    kind = "image"

    @classmethod
    def create(cls, *, steps: int, channels: int, x: BaseDataType) -> NewNode:
        """A sequence of `steps` vectors."""
        return cls.new(
            NumChannels=channels, numInputVectors=[1, steps], inputDataType=x.name, SIMD=1
        )

    def __init__(self, node: ir.Node) -> None:
        super().__init__(node)
        self.datatype = self.type_attr("inputDataType")
        self.channels = int(self.attr("NumChannels"))
        self.steps = int(self.attr("numInputVectors")[-1])

    def foldings(self) -> Iterable[Folding]:
        for simd in divisors(self.channels):
            yield Folding(SIMD=simd)
            yield Folding(SIMD=simd, ram_style="block")

    def block_words(self, folding: Folding) -> int:
        return self.steps * self.channels // folding.SIMD

    def first_word(self, folding: Folding) -> int:
        return (self.steps - 1) * self.channels // folding.SIMD

    def loops(self, folding: Folding) -> tuple[Loop, ...]:
        words = self.channels // folding.SIMD
        found = (Loop(words, 1), Loop(self.steps, -words))
        return tuple(loop for loop in found if loop.count > 1) or (Loop(1, 0),)

    def output_ranges(self, inputs: Sequence[Range]) -> list[Range]:
        return [inputs[0]]

    def ports(self, folding: Folding) -> Ports:
        stream = Stream((1, self.steps, self.channels), self.datatype, folding.SIMD)
        return Ports((stream,), (stream,))

    def reference(self, b: Builder, inputs: Sequence[ir.Value]) -> list[ir.Value]:
        starts, ends, axes, steps = (
            b.constant([n], "int64") for n in (-1, -(self.steps + 1), 1, -1)
        )
        return [b.op("Slice", inputs[0], starts, ends, axes, steps)]
