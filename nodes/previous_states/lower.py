# SPDX-License-Identifier: Apache-2.0
"""StateRead becomes PreviousStates."""

from __future__ import annotations

from collections.abc import Mapping

from qnnc.compiler.ir.edit import shape_of
from qnnc.compiler.ir.facts import Integer
from qnnc.compiler.ir.operators.states import READ, loop_of
from qnnc.compiler.lowering import Lowering
from qnnc.compiler.lowering.streams import Streams
from qnnc.nodes.previous_states.node import PreviousStates

MOST_STATES = 2
"""As the C++ has it."""


def read(streams: Streams) -> None:
    """A stream for each state."""
    node = streams.node
    facts = [streams.fact(value) for value in node.outputs]
    if len(facts) > MOST_STATES:
        raise streams.error(f"a recurrence of {len(facts)} states; {MOST_STATES} are the most")
    shapes = [shape_of(value) for value in node.outputs]
    lows, highs = ([int(f.low.min()) for f in facts], [int(f.high.max()) for f in facts])
    made = streams.emit(
        PreviousStates.create(
            channels=[shape[-1] for shape in shapes],
            lows=lows,
            highs=highs,
            steps=shapes[0][1],
            loop=loop_of(node),
        ),
        list(node.inputs[1:]),
        shapes,
        [Integer.of(low, high) for low, high in zip(lows, highs, strict=True)],
    )
    for value, stream in zip(node.outputs, made, strict=True):
        streams.define(value, stream, None)


LOWERINGS: Mapping[str, Lowering] = {READ: read}
