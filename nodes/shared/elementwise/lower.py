# SPDX-License-Identifier: Apache-2.0
"""Add and Mul of a stream with a constant or with another stream."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from qnnc.compiler.datatypes import smallest_type
from qnnc.compiler.ir.edit import constant, shape_of
from qnnc.compiler.ir.facts import IntArray, Integer, set_integer
from qnnc.compiler.lowering.channels import with_last
from qnnc.compiler.lowering.streams import (
    StreamLayout,
    Streams,
    channels_last,
    frame_shape,
    image_shape,
)
from qnnc.nodes.shared.elementwise.node import Elementwise
from qnnc.nodes.upsample_nearest_neighbour.repeat import axes_in_stream, broadcast

MOST_CONSTANTS = 1 << 16
"""Numbers of a constant that differs from element to element, at most."""


def elementwise(kind: type[Elementwise], streams: Streams) -> None:
    """An operator of a stream and a constant, or of two streams, becomes a node of a kind."""
    node = streams.node
    if constant(node.inputs[1]) is not None:
        _with_constant(kind, streams)
    else:
        _of_two(kind, streams)


def _with_constant(kind: type[Elementwise], streams: Streams) -> None:
    node, x = streams.node, streams.source()
    operand, laid = node.inputs[1], streams.layout_of(x)
    array = constant(operand)
    assert array is not None and operand is not None
    shape, values = shape_of(x), np.rint(array).astype(np.int64)
    stream = laid.value
    if values.size > 1:
        found = _spread(values, shape, laid)
        varying = [i - values.ndim for i, size in enumerate(values.shape) if size > 1]
        if found is None and len(varying) == 1:
            laid = with_last(streams, x, varying[0])
            stream = laid.value
            found = _spread(values, shape, laid)
        if found is None:  # every element of the frame has its own
            stream = streams.reshaped(laid.value, (1, laid.numbers.size))
            found = np.broadcast_to(values, shape).reshape(-1)[laid.numbers]
            if found.size > MOST_CONSTANTS:
                raise streams.error(
                    f"its constant {operand.name} differs along several axes, {found.size} numbers "
                    f"in all; {MOST_CONSTANTS} are the most"
                )
        values = found
    made = streams.editor.initializer(
        f"{operand.name}_operand", values.reshape(-1).astype(array.dtype)
    )
    set_integer(made, Integer.of(values.min(), values.max()))
    fact = streams.fact(node.outputs[0])
    y = streams.emit(
        kind.create(
            shape=shape_of(stream),
            x=streams.fact(stream).type,
            y=smallest_type(int(values.min()), int(values.max())),
            out=fact.type,
            constant=values.size,
        ),
        [stream, made],
        [shape_of(stream)],
        [Integer.of(fact.low.min(), fact.high.max())],
        node.outputs[0].dtype,
    )[0]
    y = streams.reshaped(y, shape_of(laid.value))
    streams.define(node.outputs[0], y, laid.order)


def _spread(values: IntArray, shape: tuple[int, ...], laid: StreamLayout) -> IntArray | None:
    flat = np.broadcast_to(values, shape).reshape(-1)[laid.numbers]
    rows = flat.reshape(-1, shape_of(laid.value)[-1])
    return rows[0] if bool(np.all(rows == rows[:1])) else None


def _of_two(kind: type[Elementwise], streams: Streams) -> None:
    node = streams.node
    x, y = streams.source(0), streams.source(1)
    if shape_of(x) == shape_of(y):
        left, order = streams.layout_of(x).value, streams.layout_of(x).order
        right = streams.ordered(y, order, shape_of(left))
    else:
        left, right, order = _broadcast(streams, x, y)
    fact = streams.fact(node.outputs[0])
    shape = list(shape_of(left))
    z = streams.emit(
        kind.create(
            shape=shape, x=streams.fact(left).type, y=streams.fact(right).type, out=fact.type
        ),
        [left, right],
        [shape],
        [Integer.of(fact.low.min(), fact.high.max())],
        node.outputs[0].dtype,
    )[0]
    streams.define(node.outputs[0], z, order)


def _broadcast(
    streams: Streams, x: ir.Value, y: ir.Value
) -> tuple[ir.Value, ir.Value, IntArray | None]:
    """Streams of two tensors of different shapes, each as large as their result, in its order."""
    shape = shape_of(streams.node.outputs[0])
    larger = x if shape_of(x) == shape else y
    if shape_of(larger) == shape:
        _, axes = axes_in_stream(streams, larger)
    else:
        axes = list(range(len(shape)))
    both = []
    for value in (x, y):
        stream = axes_in_stream(streams, value)[0] if shape_of(value) == shape else None
        both.append(broadcast(streams, value, shape, axes) if stream is None else stream)
    plain = axes == list(range(len(shape)))
    wanted = frame_shape(shape) if plain else image_shape(shape)
    left, right = (streams.reshaped(stream, wanted) for stream in both)
    return left, right, None if plain else channels_last(shape)
