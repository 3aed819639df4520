# SPDX-License-Identifier: Apache-2.0
"""Padding and windows of images, and what pools them."""

from __future__ import annotations

import math

import numpy as np
import onnx_ir as ir

from qnnc.compiler.integer.window import Window, window_of
from qnnc.compiler.ir.edit import attribute, constant, shape_of
from qnnc.compiler.ir.facts import Integer
from qnnc.compiler.lowering.streams import Streams, channels_last


def padded(streams: Streams, image: ir.Value, window: Window, value: int) -> ir.Value:
    """The image with the window's padding."""
    if not window.is_padded:
        return image
    return border(streams, image, [*window.before, *window.after], value)


def border(streams: Streams, image: ir.Value, pads: list[int], value: int) -> ir.Value:
    """The image with a border [top, left, bottom, right] of a constant."""
    fact, (_, height, width, channels) = streams.fact(image), shape_of(image)
    if not fact.type.allowed(value):
        raise streams.error(f"padding with {value}, which its type {fact.type.name} lacks")
    shape = (1, height + pads[0] + pads[2], width + pads[1] + pads[3], channels)
    return streams.emit(
        "FMPadding",
        [image],
        {
            "ImgDim": [height, width],
            "Padding": pads,
            "PadValue": value,
            "NumChannels": channels,
            "SIMD": 1,
            "inputDataType": fact.type.name,
        },
        [shape],
        [
            passed_on(fact, range_of=(min(value, fact.low.min()), max(value, fact.high.max()))),
        ],
    )[0]


def passed_on(fact: Integer, range_of: tuple[int, int] | None = None) -> Integer:
    """The fact of a stream that carries elements of another: scale and offset hold where they
    are one for all, and no golden tensor is like it."""
    low, high = range_of or (fact.low.min(), fact.high.max())
    one = fact.scale.size == 1 and fact.offset.size == 1
    scale, offset = (fact.scale, fact.offset) if one else (np.ones(()), np.zeros(()))
    return Integer.of(low, high, scale.reshape(()), offset.reshape(()), datatype=fact.type)


def windows(streams: Streams, image: ir.Value, window: Window) -> ir.Value:
    """The windows of an image that is padded already, as vectors."""
    fact, channels = streams.fact(image), shape_of(image)[-1]
    if window.elements == 1 and window.stride == (1, 1):
        return image
    shape = (1, *window.out, window.elements * channels)
    return streams.emit(
        "ConvolutionInputGenerator",
        [image],
        {
            "ConvKernelDim": list(window.kernel),
            "IFMChannels": channels,
            "IFMDim": list(window.padded),
            "OFMDim": list(window.out),
            "Stride": list(window.stride),
            "Dilation": list(window.dilation),
            "SIMD": 1,
            "inputDataType": fact.type.name,
            "outputDataType": fact.type.name,
            "depthwise": 0,
        },
        [shape],
        [passed_on(fact)],
    )[0]


def pool(streams: Streams) -> None:
    """MaxPool and SumPool become padding, windows and a Pool; a sum over the whole image a
    GlobalAccPool."""
    node, x = streams.node, streams.source()
    window = window_of(node)
    image = streams.image(x)
    fact, out_fact = streams.fact(image), streams.fact(node.outputs[0])
    channels = shape_of(image)[-1]
    shape = (1, *window.out, channels)
    result = Integer.of(out_fact.low.min(), out_fact.high.max())
    if node.op_type == "SumPool" and window.kernel == window.image and not window.is_padded:
        y = streams.emit(
            "GlobalAccPool",
            [image],
            {
                "NumChannels": channels,
                "PE": 1,
                "inputDataType": fact.type.name,
                "outputDataType": result.type.name,
                "numInputVectors": [1, *window.image],
            },
            [shape],
            [result],
        )[0]
    else:
        value = int(fact.low.min()) if node.op_type == "MaxPool" else 0
        vectors = windows(streams, padded(streams, image, window, value), window)
        if node.op_type == "MaxPool":
            result = result.with_(datatype=fact.datatype)
        y = streams.emit(
            "Pool",
            [vectors],
            {
                "Channels": channels,
                "PE": 1,
                "KernelSize": list(window.kernel),
                "Function": "MaxPool" if node.op_type == "MaxPool" else "AccPool",
                "OutImgDims": list(window.out),
                "InputDataType": fact.type.name,
                "OutputDataType": result.type.name,
            },
            [shape],
            [result],
        )[0]
    streams.define(node.outputs[0], y, channels_last(shape_of(node.outputs[0])))


def insert_zeros(streams: Streams) -> None:
    """Zeros between pixels become an FMPadding_Pixel."""
    node, x = streams.node, streams.source()
    image = streams.image(x)
    fact, (_, height, width, channels) = streams.fact(image), shape_of(image)
    strides = list(attribute(node, "strides"))
    down, across = strides if len(strides) == 2 else (1, *strides)
    y = streams.emit(
        "FMPadding_Pixel",
        [image],
        {
            "ImgDim": [height, width],
            "Stride": [down, across],
            "NumChannels": channels,
            "SIMD": 1,
            "inputDataType": fact.type.name,
        },
        [(1, (height - 1) * down + 1, (width - 1) * across + 1, channels)],
        [Integer.of(min(0, fact.low.min()), max(0, fact.high.max()), datatype=fact.type)],
    )[0]
    streams.define(node.outputs[0], y, channels_last(shape_of(node.outputs[0])))


def pad(streams: Streams) -> None:
    """Pad becomes an FMPadding; only the image's axes can be padded."""
    node, x = streams.node, streams.source()
    rank = len(shape_of(x))
    given = np.asarray(constant(node.inputs[1])).reshape(-1).tolist()
    axes = constant(node.inputs[3]) if len(node.inputs) > 3 else None
    pads = dict.fromkeys(range(rank), (0, 0))
    names = [int(a) % rank for a in axes.reshape(-1)] if axes is not None else list(range(rank))
    for i, axis in enumerate(names):
        pads[axis] = int(given[i]), int(given[i + len(names)])
    if any(sum(pads[axis]) for axis in (0, 1)) or min(min(p) for p in pads.values()) < 0:
        raise streams.error("only the rows and columns of an image can be padded")
    rows, columns = ((0, 0), pads[2]) if rank == 3 else (pads[2], pads[3])
    operand = constant(node.inputs[2]) if len(node.inputs) > 2 else None
    value = 0 if operand is None else int(np.asarray(operand).reshape(()))
    y = border(streams, streams.image(x), [rows[0], columns[0], rows[1], columns[1]], value)
    streams.define(node.outputs[0], y, channels_last(shape_of(node.outputs[0])))


def resize(streams: Streams) -> None:
    """Nearest Resize and Upsample by whole factors become an UpsampleNearestNeighbour."""
    from qnnc.compiler.lowering.nearest import picked_pixels

    node, x = streams.node, streams.source()
    image = streams.image(x)
    fact, (_, height, width, channels) = streams.fact(image), shape_of(image)
    shape = shape_of(node.outputs[0])
    out = (1, shape[2]) if len(shape) == 3 else (shape[2], shape[3])
    if shape[1] != channels or out[0] % height or out[1] % width:
        raise streams.error(
            f"Resize from {height} x {width} to {out[0]} x {out[1]}; whole factors are supported"
        )
    rows = np.arange(out[0]) // (out[0] // height)
    columns = np.arange(out[1]) // (out[1] // width)
    if not np.array_equal(picked_pixels(node), rows[:, None] * width + columns):
        raise streams.error("Resize picks other pixels than the nearest above and to the left")
    y = streams.emit(
        "UpsampleNearestNeighbour",
        [image],
        {
            "HI": height,
            "WI": width,
            "HO": out[0],
            "WO": out[1],
            "NumChannels": channels,
            "SIMD": 1,
            "inputDataType": fact.type.name,
        },
        [(1, *out, channels)],
        [Integer.of(fact.low.min(), fact.high.max(), datatype=fact.type)],
    )[0]
    assert math.prod(out) * channels == math.prod(shape)
    streams.define(node.outputs[0], y, channels_last(shape))
