# SPDX-License-Identifier: Apache-2.0
"""MatMul, XnorPopcountMatMul and IntegerConv."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from qnnc.compiler.integer.window import Window, window_of
from qnnc.compiler.ir.edit import attribute, constant, shape_of
from qnnc.compiler.ir.facts import IntArray, Integer, integer, set_integer
from qnnc.compiler.lowering.streams import Streams, channels_last, frame_shape, image_shape
from qnnc.compiler.lowering.windows import padded, windows


def matmul(streams: Streams) -> None:
    """A matrix product becomes an MVAU; weights follow the order of the elements."""
    node, x = streams.node, streams.source()
    output, weights = node.outputs[0], constant(node.inputs[1])
    assert weights is not None
    laid, shape = streams.laid(x), shape_of(x)
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
    attributes = {
        "MW": int(matrix.shape[0]),
        "MH": int(matrix.shape[1]),
        "PE": 1,
        "SIMD": 1,
        "inputDataType": streams.fact(x).type.name,
        "weightDataType": w_fact.type.name,
        "outputDataType": fact.type.name,
        "accDataType": fact.type.name,
        "noActivation": 1,
        "binaryXnorMode": int(xnor),
        "numInputVectors": [int(d) for d in shape_of(x)[:-1]],
    }
    whole = Integer.of(fact.low.min(), fact.high.max())
    kind = streams.node.outputs[0].dtype
    return streams.emit("MVAU", [x, constant_], attributes, [shape], [whole], kind)[0]


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
        y = _depthwise(streams, image, window, values, out)
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


def _depthwise(
    streams: Streams, image: ir.Value, window: Window, values: IntArray, out: Sequence[int]
) -> ir.Value:
    node, weights = streams.node, streams.node.inputs[1]
    vectors = windows(streams, image, window)
    fact, w_fact = streams.fact(node.outputs[0]), streams.fact(weights)
    stored = streams.editor.initializer(
        f"{node.outputs[0].name}_kernels", values.astype(np.float32)
    )
    set_integer(stored, w_fact)
    attributes = {
        "PE": 1,
        "SIMD": 1,
        "Dim": list(window.out),
        "Channels": len(values),
        "Kernel": list(window.kernel),
        "inputDataType": streams.fact(vectors).type.name,
        "weightDataType": w_fact.type.name,
        "outputDataType": fact.type.name,
        "accDataType": fact.type.name,
        "noActivation": 1,
        "binaryXnorMode": int(attribute(node, "xnor", 0)),
    }
    whole = Integer.of(fact.low.min(), fact.high.max())
    kind = node.outputs[0].dtype
    return streams.emit("VVAU", [vectors, stored], attributes, [out], [whole], kind)[0]


def _grouped(
    streams: Streams,
    image: ir.Value,
    window: Window,
    values: IntArray,
    group: int,
    out: Sequence[int],
) -> ir.Value:
    """Each group of channels on its own, put together behind."""
    x_fact = streams.fact(image)
    shape = shape_of(image)
    parts = streams.emit(
        "StreamingSplit",
        [image],
        {
            "SIMD": 1,
            "ChannelsPerStream": [shape[-1] // group] * group,
            "inputDataType": x_fact.type.name,
            "numInputVectors": list(shape[:-1]),
        },
        [(*shape[:-1], shape[-1] // group)] * group,
        [Integer.of(x_fact.low.min(), x_fact.high.max(), datatype=x_fact.type)] * group,
    )
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
    facts = [integer(y) for y in results]
    fact = streams.fact(streams.node.outputs[0])
    return streams.emit(
        "StreamingConcat",
        results,
        {
            "SIMD": 1,
            "ChannelsPerStream": [per_group] * group,
            "inputDataTypes": [f.type.name for f in facts if f is not None],
            "outputDataType": fact.type.name,
            "numInputVectors": list(out[:-1]),
        },
        [out],
        [Integer.of(fact.low.min(), fact.high.max())],
    )[0]
