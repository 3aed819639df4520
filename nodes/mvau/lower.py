# SPDX-License-Identifier: Apache-2.0
"""Matrix products and convolutions become MVAU, with whatever makes the windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx_ir as ir

from qnnc.compiler.integer.window import Window, window_of
from qnnc.compiler.ir.edit import attribute, constant, shape_of
from qnnc.compiler.ir.facts import IntArray, Integer, set_integer
from qnnc.compiler.lowering import Lowering
from qnnc.compiler.lowering.streams import (
    Streams,
    channels_last,
    frame_shape,
    image_shape,
)
from qnnc.nodes.convolution_input_generator.lower import windows
from qnnc.nodes.dynamic_mvau import lower as dynamic
from qnnc.nodes.fm_padding.lower import padded
from qnnc.nodes.mvau.node import MVAU
from qnnc.nodes.streaming_concat.lower import concat_channels
from qnnc.nodes.streaming_split.lower import split_channels
from qnnc.nodes.vvau.lower import depthwise


def matmul(streams: Streams) -> None:
    """A matrix product becomes an MVAU; weights follow the order of the elements."""
    node, x = streams.node, streams.source()
    output, weights = node.outputs[0], constant(node.inputs[1])
    if weights is None:
        dynamic.product(streams)
        return
    laid, shape = streams.layout_of(x), shape_of(x)
    k = shape[-1]
    values = np.rint(weights).astype(np.int64)
    if laid.order is not None and laid.order.size == k:
        stream, values = streams.reshaped(laid.value, frame_shape(shape)), values[laid.order]
    else:
        stream = streams.plain(x)
    out = frame_shape(shape_of(output))
    y = mvau(streams, stream, node.inputs[1], values, node.op_type != "MatMul", out)
    streams.define(output, y, None)


def mvau(
    streams: Streams,
    x: ir.Value,
    weights: ir.Value | None,
    matrix: IntArray,
    xnor: bool,
    shape: Sequence[int],
) -> ir.Value:
    """An MVAU of a stream [..., K] with a matrix [K, M]."""
    fact, w_fact = streams.fact(streams.node.outputs[0]), streams.fact(weights)
    assert weights is not None and weights.const_value is not None
    dtype = weights.const_value.numpy().dtype
    constant_ = streams.editor.initializer(f"{weights.name}_matrix", matrix.astype(dtype))
    set_integer(constant_, w_fact)
    made = MVAU.create(
        matrix=(matrix.shape[0], matrix.shape[1]),
        x=streams.fact(x).type,
        weights=w_fact.type,
        out=fact.type,
        xnor=xnor,
        vectors=shape_of(x)[:-1],
    )
    whole = Integer.of(fact.low.min(), fact.high.max())
    kind = streams.node.outputs[0].dtype
    return streams.emit(made, [x, constant_], [shape], [whole], kind)[0]


def conv(streams: Streams) -> None:
    """A convolution becomes padding, windows, and an MVAU (one for each group) or a VVAU."""
    node, x = streams.node, streams.source()
    weights = constant(node.inputs[1])
    assert weights is not None
    values = np.rint(weights).astype(np.int64)
    if values.ndim == 3:
        values = values[:, :, None, :]
    window = window_of(node, weights.shape[2:])
    group = int(attribute(node, "group", 1))
    channels = values.shape[1] * group
    image = padded(streams, streams.image(x), window, 0)
    out = (1, *window.out, len(values))
    if group == 1:
        y = _dense(streams, image, window, values, out)
    elif group == channels and len(values) == channels:
        y = depthwise(streams, image, window, values, out)
    else:
        y = _grouped(streams, image, window, values, group, out)
    output = node.outputs[0]
    assert image_shape(shape_of(output)) == out
    streams.define(output, y, channels_last(shape_of(output)))


def _dense(
    streams: Streams, image: ir.Value, window: Window, values: IntArray, out: Sequence[int]
) -> ir.Value:
    vectors = windows(streams, image, window)
    xnor = bool(attribute(streams.node, "xnor", 0))
    return mvau(streams, vectors, streams.node.inputs[1], _matrix(values), xnor, out)


def _matrix(values: IntArray) -> IntArray:
    """[M, C, KH, KW] as [KH * KW * C, M]."""
    return values.transpose(2, 3, 1, 0).reshape(-1, len(values))


def _grouped(
    streams: Streams,
    image: ir.Value,
    window: Window,
    values: IntArray,
    group: int,
    out: Sequence[int],
) -> ir.Value:
    """Each group of channels on its own, concatenated afterwards."""
    size = shape_of(image)[-1] // group
    parts = split_channels(streams, image, [size] * group)
    per_group = len(values) // group
    results = [
        _dense(
            streams,
            part,
            window,
            values[i * per_group : (i + 1) * per_group],
            (*out[:-1], per_group),
        )
        for i, part in enumerate(parts)
    ]
    return concat_channels(streams, results, streams.fact(streams.node.outputs[0]))


LOWERINGS: Mapping[str, Lowering] = {
    "MatMul": matmul,
    "XnorPopcountMatMul": matmul,
    "IntegerConv": conv,
}
