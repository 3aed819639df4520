# SPDX-License-Identifier: Apache-2.0
"""PreviousStates: the initial states at the first step, then what NextStates took."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from qnnc.compiler.dataflow import cost
from qnnc.compiler.dataflow.base import NewNode, Ports, Range
from qnnc.compiler.dataflow.folding import Folding
from qnnc.compiler.dataflow.schedule import Intake, Schedule
from qnnc.compiler.errors import ModelError, quote
from qnnc.compiler.ir.builder import Builder
from qnnc.compiler.ir.facts import IntArray, as_integers
from qnnc.compiler.resources import Resources
from qnnc.nodes.shared.states.node import Recurrence, States


class PreviousStates(States):
    """Inputs: an initial state [C] for each; outputs: the states before each step, [1, T, C].

    Its streams in come from the NextStates of the same `loop`, past the graph, which has no
    cycles.
    """

    op_type = "PreviousStates"

    @classmethod
    def create(cls, *, recurrence: Recurrence) -> NewNode:
        """The states of a recurrence, on their ranges."""
        return cls.new(**recurrence.attributes("read"))

    def start(self, index: int) -> IntArray:
        """The initial state, [C]."""
        return as_integers(self.constant_input(index)).reshape(-1)

    @property
    def room(self) -> list[int]:
        """Words that each state's memory holds: one vector, and some on their way."""
        return [stream.shape[-1] // stream.lanes + 2 for stream in self.states]

    def output_ranges(self, inputs: Sequence[Range]) -> list[Range]:
        return list(self.ranges)

    def ports(self, folding: Folding) -> Ports:
        return Ports(tuple(self.states), tuple(self.states))

    def cycles(self, folding: Folding) -> int:
        return max(stream.words for stream in self.states)

    def latency(self, folding: Folding) -> int:
        return 2

    def schedule(self, folding: Folding) -> Schedule:
        """One vector per step; the first takes nothing, and what comes last is dropped."""
        steps = np.arange(1, self.steps + 1, dtype=np.int64)
        words = max(stream.words for stream in self.states) // self.steps
        intakes = []
        for stream in self.states:
            size = stream.shape[-1]
            intakes.append(Intake((steps - 1) * size, steps * size, size))
        given = tuple(steps * stream.shape[-1] for stream in self.states)
        return Schedule(np.full(self.steps, words, dtype=np.int64), 2, tuple(intakes), given)

    def resources(self, folding: Folding) -> Resources:
        luts = ffs = 0.0
        for stream, depth in zip(self.states, self.room, strict=True):
            words = stream.shape[-1] // stream.lanes
            luts += cost.lut_ram(stream.bits, depth) + stream.bits + 2 * cost.counter(words)
            luts += 2 * cost.counter(self.steps) + 12
            ffs += 3 * stream.bits + 2 * cost.bits_for(words) + 2 * cost.bits_for(self.steps) + 14
        return Resources(LUT=luts, FF=ffs)

    def reference(self, b: Builder, inputs: Sequence[ir.Value]) -> list[ir.Value]:
        raise ModelError(f"node {quote(self.name)} cannot be written without its NextStates")
