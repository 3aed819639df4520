# SPDX-License-Identifier: Apache-2.0
"""IntegerSoftmax becomes QuantSoftmax."""

from __future__ import annotations

from collections.abc import Mapping

from qnnc.compiler.ir.edit import shape_of
from qnnc.compiler.ir.facts import Integer
from qnnc.compiler.ir.operators.integer_softmax import NAME, Exponents
from qnnc.compiler.lowering import Lowering
from qnnc.compiler.lowering.streams import Streams
from qnnc.nodes.quant_softmax.node import MAX_QUOTIENT, QuantSoftmax


def softmax(streams: Streams) -> None:
    """Vectors along the last axis."""
    node, x = streams.node, streams.source()
    stream, found = streams.plain(x), Exponents.of(node)
    shape = shape_of(stream)
    fact = streams.fact(node.outputs[0])
    made = QuantSoftmax.create(
        channels=shape[-1],
        found=found,
        x=streams.fact(stream).type,
        out=fact.type,
        vectors=shape[:-1],
    )
    if 1 / found.step >= 1 << (MAX_QUOTIENT - 1):
        raise streams.error("the quantizer after it has too small a scale; take one for 0 to 1")
    whole = Integer.of(fact.low.min(), fact.high.max())
    inputs = [stream, *node.inputs[1:]]
    y = streams.emit(made, inputs, [shape], [whole], node.outputs[0].dtype)[0]
    streams.define(node.outputs[0], y, None)


LOWERINGS: Mapping[str, Lowering] = {NAME: softmax}
