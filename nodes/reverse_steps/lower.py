# SPDX-License-Identifier: Apache-2.0
"""A Slice that goes backwards through the steps becomes ReverseSteps; streaming_split/lower.py,
which lowers every Slice, calls it."""

from __future__ import annotations

import math
from collections.abc import Mapping

from qnnc.compiler.ir.edit import shape_of
from qnnc.compiler.ir.facts import Integer
from qnnc.compiler.lowering import Lowering
from qnnc.compiler.lowering.streams import Streams
from qnnc.nodes.reverse_steps.node import ReverseSteps

LOWERINGS: Mapping[str, Lowering] = {}


def reverse(streams: Streams, axis: int) -> None:
    """The operator's input, reversed along an axis; those before it have size one.

    Raises:
        ModelError: an axis before it is not of size one.
    """
    x, output = streams.source(), streams.node.outputs[0]
    shape = shape_of(x)
    if math.prod(shape[:axis]) != 1:
        raise streams.error(
            "it reverses an axis other than the first; only sequences can be reversed"
        )
    fact, steps, channels = streams.fact(x), shape[axis], math.prod(shape[axis + 1 :])
    stream = streams.reshaped(streams.plain(x), (1, steps, channels))
    y = streams.emit(
        ReverseSteps.create(steps=steps, channels=channels, x=fact.type),
        [stream],
        [(1, steps, channels)],
        [Integer.of(fact.low.min(), fact.high.max(), datatype=fact.type)],
    )[0]
    streams.define(output, streams.reshaped(y, shape), None)
