# SPDX-License-Identifier: Apache-2.0
"""Dataflow nodes that move, join and fold images, and what they do, in numpy alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray
from qonnx.core.datatype import DataType

from qnnc.compiler.datatypes import smallest_type
from tests.support.nodes import NodeSpec, random_of

Pair = tuple[int, int]
Array = NDArray[np.int64]


def windows(
    *,
    image: Pair,
    kernel: Pair,
    channels: int = 1,
    stride: Pair = (1, 1),
    dilation: Pair = (1, 1),
    kind: str = "UINT2",
    simd: int = 1,
    ram: str = "distributed",
    prefetch: int = 0,
) -> NodeSpec:
    """A ConvolutionInputGenerator."""
    x_type = DataType[kind]
    out = tuple(
        (i - (k - 1) * d - 1) // s + 1
        for i, k, s, d in zip(image, kernel, stride, dilation, strict=True)
    )
    attributes = {
        "IFMChannels": channels,
        "IFMDim": list(image),
        "OFMDim": list(out),
        "ConvKernelDim": list(kernel),
        "Stride": list(stride),
        "Dilation": list(dilation),
        "SIMD": simd,
        "ram_style": ram,
        "prefetch": prefetch,
        "inputDataType": kind,
        "outputDataType": kind,
        "depthwise": 0,
    }
    shapes = (1, *image, channels), (1, *out, math.prod(kernel) * channels)
    return NodeSpec("ConvolutionInputGenerator", attributes, x_type, shapes[0], x_type, shapes[1])


def _resized(
    op: str, image: Pair, out: Pair, channels: int, kind: str, simd: int, **attributes: object
) -> NodeSpec:
    """A node that gives images of another size."""
    x_type = DataType[kind]
    attributes |= {"NumChannels": channels, "SIMD": simd, "inputDataType": kind}
    shapes = (1, *image, channels), (1, *out, channels)
    return NodeSpec(op, attributes, x_type, shapes[0], x_type, shapes[1])


def padding(
    *,
    image: Pair,
    pads: tuple[int, int, int, int],
    channels: int = 1,
    kind: str = "UINT2",
    simd: int = 1,
    value: int = 0,
) -> NodeSpec:
    """An FMPadding; pads are top, left, bottom, right."""
    out = image[0] + pads[0] + pads[2], image[1] + pads[1] + pads[3]
    sizes = {"ImgDim": list(image), "Padding": list(pads), "PadValue": value}
    return _resized("FMPadding", image, out, channels, kind, simd, **sizes)


def spread(
    *, image: Pair, stride: Pair, channels: int = 1, kind: str = "UINT2", simd: int = 1
) -> NodeSpec:
    """An FMPadding_Pixel."""
    out = (image[0] - 1) * stride[0] + 1, (image[1] - 1) * stride[1] + 1
    sizes = {"ImgDim": list(image), "Stride": list(stride)}
    return _resized("FMPadding_Pixel", image, out, channels, kind, simd, **sizes)


def pool(
    *,
    out: Pair,
    kernel: Pair,
    function: str = "MaxPool",
    channels: int = 1,
    kind: str = "UINT4",
    pe: int = 1,
) -> NodeSpec:
    """A Pool of windows."""
    x_type, count = DataType[kind], math.prod(kernel)
    factor = 1 if function == "MaxPool" else count
    out_type = smallest_type(int(x_type.min()) * factor, int(x_type.max()) * factor)
    attributes = {
        "Channels": channels,
        "PE": pe,
        "KernelSize": list(kernel),
        "Function": function,
        "OutImgDims": list(out),
        "InputDataType": kind,
        "OutputDataType": out_type.name,
    }
    shapes = (1, *out, count * channels), (1, *out, channels)
    return NodeSpec("Pool", attributes, x_type, shapes[0], out_type, shapes[1])


def global_sum(*, image: Pair, channels: int = 1, kind: str = "UINT4", pe: int = 1) -> NodeSpec:
    """A GlobalAccPool."""
    x_type, count = DataType[kind], math.prod(image)
    out_type = smallest_type(int(x_type.min()) * count, int(x_type.max()) * count)
    attributes = {
        "NumChannels": channels,
        "PE": pe,
        "numInputVectors": [1, *image],
        "inputDataType": kind,
        "outputDataType": out_type.name,
    }
    shapes = (1, *image, channels), (1, 1, 1, channels)
    return NodeSpec("GlobalAccPool", attributes, x_type, shapes[0], out_type, shapes[1])


def vvau(
    rng: np.random.Generator,
    *,
    out: Pair,
    kernel: Pair,
    channels: int = 1,
    x: str = "UINT4",
    w: str = "INT4",
    pe: int = 1,
    ram: str = "distributed",
    res: str = "lut",
) -> NodeSpec:
    """A VVAU with random weights; x BINARY and w BINARY is the XNOR form."""
    x_type, w_type, count = DataType[x], DataType[w], math.prod(kernel)
    weights = random_of(rng, w_type, (channels, 1, *kernel))
    xnor = x == "BINARY" and w == "BINARY"
    ends = np.stack([weights * int(x_type.min()), weights * int(x_type.max())])
    sums = ends.reshape(2, channels, count)
    low, high = int(sums.min(axis=0).sum(axis=1).min()), int(sums.max(axis=0).sum(axis=1).max())
    out_type = smallest_type(0, count) if xnor else smallest_type(low, high)
    attributes = {
        "Channels": channels,
        "PE": pe,
        "SIMD": 1,
        "Dim": list(out),
        "Kernel": list(kernel),
        "inputDataType": x,
        "weightDataType": w,
        "outputDataType": out_type.name,
        "accDataType": out_type.name,
        "noActivation": 1,
        "binaryXnorMode": int(xnor),
        "ram_style": ram,
        "resType": res,
    }
    shapes = (1, *out, count * channels), (1, *out, channels)
    return NodeSpec("VVAU", attributes, x_type, shapes[0], out_type, shapes[1], [weights])


def duplicate(
    *, vectors: tuple[int, ...], channels: int, copies: int, kind: str = "INT3", pe: int = 1
) -> NodeSpec:
    """A DuplicateStreams."""
    x_type, shape = DataType[kind], (*vectors, channels)
    attributes = {
        "NumChannels": channels,
        "PE": pe,
        "NumOutputStreams": copies,
        "inputDataType": kind,
        "numInputVectors": list(vectors),
    }
    more = [(x_type, shape)] * (copies - 1)
    return NodeSpec("DuplicateStreams", attributes, x_type, shape, x_type, shape, more_outputs=more)


def concat(
    *, vectors: tuple[int, ...], channels: Sequence[int], kinds: Sequence[str], simd: int = 1
) -> NodeSpec:
    """A StreamingConcat."""
    types = [DataType[kind] for kind in kinds]
    low, high = min(int(t.min()) for t in types), max(int(t.max()) for t in types)
    out_type = smallest_type(low, high)
    attributes = {
        "ChannelsPerStream": list(channels),
        "inputDataTypes": list(kinds),
        "outputDataType": out_type.name,
        "numInputVectors": list(vectors),
        "SIMD": simd,
    }
    streams = [(t, (*vectors, c)) for t, c in zip(types, channels, strict=True)]
    return NodeSpec(
        "StreamingConcat",
        attributes,
        *streams[0],
        out_type,
        (*vectors, sum(channels)),
        more_inputs=streams[1:],
    )


def split(
    *,
    vectors: tuple[int, ...],
    channels: Sequence[int],
    kind: str = "INT4",
    simd: int = 1,
    unused: tuple[int, ...] = (),
) -> NodeSpec:
    """A StreamingSplit."""
    x_type = DataType[kind]
    attributes = {
        "ChannelsPerStream": list(channels),
        "inputDataType": kind,
        "numInputVectors": list(vectors),
        "SIMD": simd,
    }
    streams = [(x_type, (*vectors, c)) for c in channels]
    return NodeSpec(
        "StreamingSplit",
        attributes,
        x_type,
        (*vectors, sum(channels)),
        *streams[0],
        more_outputs=streams[1:],
        unused=unused,
    )


def upsample(
    *,
    image: Pair,
    factors: Pair,
    channels: int = 1,
    kind: str = "INT4",
    simd: int = 1,
    ram: str = "distributed",
) -> NodeSpec:
    """An UpsampleNearestNeighbour."""
    out = image[0] * factors[0], image[1] * factors[1]
    sizes = {"HI": image[0], "WI": image[1], "HO": out[0], "WO": out[1], "ram_style": ram}
    return _resized("UpsampleNearestNeighbour", image, out, channels, kind, simd, **sizes)


def shuffle(
    *,
    apart: tuple[int, ...],
    perm: tuple[int, ...],
    kind: str = "INT4",
    simd: int = 1,
    ram: str = "distributed",
    in_shape: tuple[int, ...] | None = None,
    out_shape: tuple[int, ...] | None = None,
) -> NodeSpec:
    """A Shuffle, of shapes as they are where none are given."""
    x_type = DataType[kind]
    given, found = in_shape or apart, out_shape or tuple(apart[p] for p in perm)
    attributes = {
        "in_shape": list(given),
        "transpose_in_shape": list(apart),
        "perm": list(perm),
        "transpose_out_shape": [apart[p] for p in perm],
        "out_shape": list(found),
        "data_type": kind,
        "SIMD": simd,
        "ram_style": ram,
    }
    return NodeSpec("Shuffle", attributes, x_type, given, x_type, found)


def join(
    *, op: str, vectors: tuple[int, ...], channels: int, kinds: tuple[str, str], pe: int = 1
) -> NodeSpec:
    """An ElementwiseAdd or ElementwiseMul of two streams."""
    x_type, y_type = (DataType[kind] for kind in kinds)
    ends = [
        int(a + b if op == "Add" else a * b)
        for a, b in product((x_type.min(), x_type.max()), (y_type.min(), y_type.max()))
    ]
    out_type, shape = smallest_type(min(ends), max(ends)), (*vectors, channels)
    attributes = {
        "lhs_dtype": kinds[0],
        "rhs_dtype": kinds[1],
        "out_dtype": out_type.name,
        "lhs_shape": list(shape),
        "rhs_shape": list(shape),
        "out_shape": list(shape),
        "lhs_style": "input",
        "rhs_style": "input",
        "PE": pe,
    }
    return NodeSpec(
        f"Elementwise{op}",
        attributes,
        x_type,
        shape,
        out_type,
        shape,
        more_inputs=[(y_type, shape)],
    )


# --- what they do, on batches [frames, *shape] --------------------------------------------------


def _windows(spec: NodeSpec, x: Array) -> list[Array]:
    names = ("ConvKernelDim", "Stride", "Dilation", "OFMDim")
    (kh, kw), (sh, sw), (dh, dw), (oh, ow) = (spec.attributes[name] for name in names)
    found = np.zeros((len(x), *spec.out_shape), dtype=np.int64)
    for row, column in product(range(oh), range(ow)):
        rows = slice(row * sh, row * sh + (kh - 1) * dh + 1, dh)
        columns = slice(column * sw, column * sw + (kw - 1) * dw + 1, dw)
        found[:, 0, row, column] = x[:, 0, rows, columns].reshape(len(x), -1)
    return [found]


def _padding(spec: NodeSpec, x: Array) -> list[Array]:
    top, left, bottom, right = spec.attributes["Padding"]
    widths = ((0, 0), (0, 0), (top, bottom), (left, right), (0, 0))
    return [np.pad(x, widths, constant_values=spec.attributes["PadValue"])]


def _spread(spec: NodeSpec, x: Array) -> list[Array]:
    found = np.zeros((len(x), *spec.out_shape), dtype=np.int64)
    down, across = spec.attributes["Stride"]
    found[:, :, ::down, ::across] = x
    return [found]


def _apart(spec: NodeSpec, x: Array) -> Array:
    """Windows [..., elements, channels]."""
    return x.reshape(*x.shape[:-1], -1, spec.out_shape[-1])


def _pool(spec: NodeSpec, x: Array) -> list[Array]:
    apart = _apart(spec, x)
    return [apart.max(axis=-2) if spec.attributes["Function"] == "MaxPool" else apart.sum(axis=-2)]


def _vvau(spec: NodeSpec, x: Array) -> list[Array]:
    weights = spec.constants[0].reshape(spec.out_shape[-1], -1).T
    apart = _apart(spec, x)
    if spec.attributes["binaryXnorMode"]:
        return [(apart == weights).sum(axis=-2)]
    return [(apart * weights).sum(axis=-2)]


def _split(spec: NodeSpec, x: Array) -> list[Array]:
    ends = np.cumsum(spec.attributes["ChannelsPerStream"])[:-1]
    return list(np.split(x, ends, axis=-1))


def _upsample(spec: NodeSpec, x: Array) -> list[Array]:
    a = spec.attributes
    return [x.repeat(a["HO"] // a["HI"], axis=2).repeat(a["WO"] // a["WI"], axis=3)]


def _shuffle(spec: NodeSpec, x: Array) -> list[Array]:
    a = spec.attributes
    moved = x.reshape(len(x), *a["transpose_in_shape"]).transpose(0, *(p + 1 for p in a["perm"]))
    return [moved.reshape(len(x), *a["out_shape"])]


DEFINITIONS: dict[str, Callable[..., list[Array]]] = {
    "ConvolutionInputGenerator": _windows,
    "FMPadding": _padding,
    "FMPadding_Pixel": _spread,
    "Pool": _pool,
    "GlobalAccPool": lambda spec, x: [x.sum(axis=(2, 3), keepdims=True)],
    "VVAU": _vvau,
    "DuplicateStreams": lambda spec, x: [x] * (1 + len(spec.more_outputs)),
    "StreamingConcat": lambda spec, *xs: [np.concatenate(xs, axis=-1)],
    "StreamingSplit": _split,
    "UpsampleNearestNeighbour": _upsample,
    "Shuffle": _shuffle,
    "ElementwiseAdd": lambda spec, x, y: [x + y],
    "ElementwiseMul": lambda spec, x, y: [x * y],
}
