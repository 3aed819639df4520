# SPDX-License-Identifier: Apache-2.0
"""StateWrite becomes NextStates."""

from __future__ import annotations

from collections.abc import Mapping

from qnnc.compiler.ir.edit import shape_of
from qnnc.compiler.ir.facts import Integer
from qnnc.compiler.ir.operators.states import WRITE, loop_of
from qnnc.compiler.lowering import Lowering
from qnnc.compiler.lowering.streams import Streams
from qnnc.nodes.next_states.node import NextStates


def write(streams: Streams) -> None:
    """A stream for each state, and one back."""
    node = streams.node
    facts = [streams.fact(value) for value in node.outputs]
    shapes = [shape_of(value) for value in node.outputs]
    lows, highs = ([int(f.low.min()) for f in facts], [int(f.high.max()) for f in facts])
    inputs = [streams.plain(streams.source(i)) for i in range(len(facts))]
    ranges = [Integer.of(low, high) for low, high in zip(lows, highs, strict=True)]
    made = streams.emit(
        NextStates.create(
            channels=[shape[-1] for shape in shapes],
            lows=lows,
            highs=highs,
            steps=shapes[0][1],
            loop=loop_of(node),
            x=[streams.fact(x).type for x in inputs],
        ),
        inputs,
        [*shapes, *shapes],
        [*ranges, *ranges],
    )
    for value, stream in zip(node.outputs, made[: len(facts)], strict=True):
        streams.define(value, stream, None)


LOWERINGS: Mapping[str, Lowering] = {WRITE: write}
