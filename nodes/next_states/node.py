# SPDX-License-Identifier: Apache-2.0
"""NextStates: every state, for its consumers and back to PreviousStates."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir
from qonnx.core.datatype import BaseDataType

from qnnc.compiler.dataflow import attributes
from qnnc.compiler.dataflow.base import NewNode, Ports, Range, Stream
from qnnc.compiler.dataflow.folding import Folding
from qnnc.compiler.ir.builder import Builder
from qnnc.compiler.resources import Resources
from qnnc.nodes.shared.states.node import Recurrence, States


class NextStates(States):
    """Inputs: the states after each step, [1, T, C]; outputs: the same for those who use them, then
    the same for the PreviousStates of the same `loop`, which take them past the graph."""

    op_type = "NextStates"

    x_types: tuple[BaseDataType, ...] = attributes.integer_types("inputDataTypes")

    @classmethod
    def create(cls, *, recurrence: Recurrence, x: Sequence[BaseDataType]) -> NewNode:
        """The states of a recurrence, on their ranges; they arrive in the types `x`."""
        return cls.new(**recurrence.attributes("write"), inputDataTypes=[kind.name for kind in x])

    def set_types(self, inputs: Sequence[BaseDataType], outputs: Sequence[BaseDataType]) -> None:
        self.x_types = tuple(inputs)

    def output_ranges(self, inputs: Sequence[Range]) -> list[Range]:
        return [*self.ranges, *self.ranges]

    def ports(self, folding: Folding) -> Ports:
        inputs = tuple(
            Stream(stream.shape, kind, stream.lanes)
            for stream, kind in zip(self.states, self.x_types, strict=True)
        )
        return Ports(inputs, (*self.states, *self.states))

    def cycles(self, folding: Folding) -> int:
        return max(stream.words for stream in self.states)

    def latency(self, folding: Folding) -> int:
        return 1

    def resources(self, folding: Folding) -> Resources:
        bits = sum(stream.bits for stream in self.states)
        return Resources(LUT=2 * (bits + 3 * len(self.states)), FF=4 * (bits + len(self.states)))

    def reference(self, b: Builder, inputs: Sequence[ir.Value]) -> list[ir.Value]:
        return [b.op("Identity", x) for x in (*inputs, *inputs)]
