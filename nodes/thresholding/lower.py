# SPDX-License-Identifier: Apache-2.0
"""MultiThreshold becomes Thresholding."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from qnnc.compiler.datatypes import smallest_type
from qnnc.compiler.ir.edit import constant, shape_of
from qnnc.compiler.ir.facts import Integer
from qnnc.compiler.ir.operators.multi_threshold import table_of
from qnnc.compiler.lowering import Lowering
from qnnc.compiler.lowering.channels import along_stream, with_last
from qnnc.compiler.lowering.streams import (
    Streams,
    same_order,
)
from qnnc.nodes.thresholding.node import Thresholding


def thresholds(streams: Streams) -> None:
    """A MultiThreshold becomes a Thresholding; rows of the table follow the channels."""
    node, x = streams.node, streams.source()
    table, laid = table_of(node), streams.layout_of(x)
    output = node.outputs[0]
    shape = shape_of(x)
    inputs = [laid.value, *node.inputs[1:]]
    if table.thresholds.shape[0] > 1:
        rows = along_stream(np.arange(shape[table.axis]), table.axis, shape, laid)
        if rows is None and laid.numbers.size == shape[table.axis]:
            flat = streams.reshaped(laid.value, (1, laid.numbers.size))
            inputs[0], rows = flat, laid.numbers  # every element of the frame has its own
        if rows is None:
            laid = with_last(streams, x, table.axis)
            inputs[0] = laid.value
            rows = along_stream(np.arange(shape[table.axis]), table.axis, shape, laid)
        if rows is None:
            raise streams.error("its thresholds differ along an axis that no stream keeps together")
        if not same_order(rows, None):
            for i in range(1, len(inputs)):
                array = constant(inputs[i])
                assert array is not None
                name = f"{inputs[i].name}_ordered"  # type: ignore[union-attr]
                inputs[i] = streams.editor.initializer(name, array[rows])
    stream = inputs[0]
    assert stream is not None
    fact, out_fact = streams.fact(stream), streams.fact(output)
    kind = smallest_type(int(table.thresholds.min()), int(table.thresholds.max()))
    result = Integer.of(out_fact.low.min(), out_fact.high.max())
    y = streams.emit(
        Thresholding.create(
            channels=shape_of(stream)[-1],
            steps=table.thresholds.shape[1],
            x=fact.type,
            thresholds=kind,
            out=result.type,
            base=table.base if table.values is None else 0,
            vectors=shape_of(stream)[:-1],
        ),
        inputs,
        [shape_of(stream)],
        [result],
        output.dtype,
    )[0]
    streams.define(output, streams.reshaped(y, shape_of(laid.value)), laid.order)


LOWERINGS: Mapping[str, Lowering] = {"MultiThreshold": thresholds}
