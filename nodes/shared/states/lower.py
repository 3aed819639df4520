# SPDX-License-Identifier: Apache-2.0
"""StateRead and StateWrite, what their lowerings share."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from qnnc.compiler.dataflow.base import NewNode, Range
from qnnc.compiler.ir.edit import shape_of
from qnnc.compiler.ir.facts import Integer
from qnnc.compiler.ir.operators.states import loop_of
from qnnc.compiler.lowering.streams import Streams
from qnnc.nodes.shared.states.node import Recurrence


def recurrence_of(streams: Streams) -> Recurrence:
    """The recurrence of which the operator is an end: its outputs are the states, [1, T, C]."""
    outputs = streams.node.outputs
    facts, shapes = [streams.fact(y) for y in outputs], [shape_of(y) for y in outputs]
    return Recurrence(
        loop=loop_of(streams.node),
        steps=shapes[0][1],
        channels=tuple(shape[-1] for shape in shapes),
        ranges=tuple(Range.of(fact.low.min(), fact.high.max()) for fact in facts),
    )


def emit(
    streams: Streams,
    made: NewNode,
    inputs: Sequence[ir.Value | None],
    recurrence: Recurrence,
    copies: int,
) -> None:
    """Add the node at one end, which has every state `copies` times as an output, the operator's
    own outputs first."""
    outputs = streams.node.outputs
    shapes = [shape_of(y) for y in outputs]
    facts = [Integer.of(r.least, r.greatest) for r in recurrence.ranges]
    given = streams.emit(made, inputs, shapes * copies, facts * copies)
    for y, stream in zip(outputs, given[: len(outputs)], strict=True):
        streams.define(y, stream, None)
