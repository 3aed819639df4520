# SPDX-License-Identifier: Apache-2.0
"""FINN's operators on images, channels first here: windows, padding, pooling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import helper
from qonnx.core.datatype import BaseDataType

from qnnc.compiler.datatypes import smallest_type
from qnnc.frontends.finn.writer import Node, Writer


@dataclass(frozen=True)
class Window:
    """What a window generator takes apart.

    Attributes:
        x: the image, [N, C, H, W].
        channels: C.
        kernel: height and width.
        stride: likewise.
        dilation: likewise.
        pads: rows and columns of zeros: top, left, bottom, right.
    """

    x: str
    channels: int
    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)


def window_generator(writer: Writer, node: Node, windows: dict[str, Window]) -> None:
    """ConvolutionInputGenerator: remembered, for the consumer to become a convolution."""
    windows[node.outputs[0]] = Window(
        writer.first(node.inputs[0]),
        int(node.attr("IFMChannels")),
        node.pair("ConvKernelDim"),
        node.pair("Stride", 1),
        node.pair("Dilation", 1),
    )


def im2col(writer: Writer, node: Node, windows: dict[str, Window]) -> None:
    """Im2Col before conversion."""
    shape = str(node.attr("input_shape")).strip("()[] ").split(",")
    pads = node.attr("pad_amount", [0, 0, 0, 0])
    windows[node.outputs[0]] = Window(
        writer.first(node.inputs[0]),
        int(shape[-1]),
        node.pair("kernel_size"),
        node.pair("stride"),
        node.pair("dilations", [1, 1]),
        (int(pads[0]), int(pads[1]), int(pads[2]), int(pads[3])),
    )


def _geometry(window: Window) -> dict[str, Any]:
    return {
        "kernel_shape": list(window.kernel),
        "strides": list(window.stride),
        "dilations": list(window.dilation),
        "pads": list(window.pads),
    }


def convolution(
    writer: Writer,
    node: Node,
    window: Window,
    matrix: NDArray[Any],
    kind: BaseDataType,
) -> str:
    """A product of windows and a matrix [kh kw C, outputs] as a convolution: [N, C, H, W]."""
    size = (*window.kernel, window.channels)
    if matrix.shape[0] != np.prod(size):
        raise node.refusal(f"its weights have {matrix.shape[0]} rows for windows of {size}")
    weights = matrix.reshape(*size, -1).transpose(3, 2, 0, 1)
    return writer.op("Conv", window.x, writer.weights(weights, kind), **_geometry(window))


def depthwise(
    writer: Writer,
    node: Node,
    window: Window,
    weights: NDArray[Any],
    kind: BaseDataType,
) -> str:
    """Weights [C, 1, kh, kw] on each channel's window: [N, C, H, W]."""
    if weights.shape != (window.channels, 1, *window.kernel):
        raise node.refusal(f"its weights {list(weights.shape)} do not fit the windows")
    quantized = writer.weights(weights, kind)
    return writer.op("Conv", window.x, quantized, group=window.channels, **_geometry(window))


def padding(writer: Writer, node: Node, windows: dict[str, Window]) -> None:
    """FMPadding: zeros around the image."""
    top, left, bottom, right = (int(n) for n in node.attr("Padding"))
    pads = writer.constant([0, 0, top, left, 0, 0, bottom, right], np.int64)
    zero = writer.constant(0.0)
    writer.give_first(node.outputs[0], writer.op("Pad", writer.first(node.inputs[0]), pads, zero))


def pool(writer: Writer, node: Node, windows: dict[str, Window]) -> None:
    """Pool behind a depthwise window generator."""
    window = windows.get(node.inputs[0])
    if window is None:
        raise node.refusal("no window generator stands before it")
    function = str(node.attr("Function"))
    if function == "AccPool":
        ones = np.ones((window.channels, 1, *window.kernel), dtype=np.float32)
        kind = smallest_type(0, 1)
        writer.give_first(node.outputs[0], depthwise(writer, node, window, ones, kind))
        return
    if function != "MaxPool":
        raise node.refusal("only MaxPool and AccPool are supported")
    writer.give_first(node.outputs[0], writer.op("MaxPool", window.x, **_geometry(window)))


def streaming_max_pool(writer: Writer, node: Node, windows: dict[str, Window]) -> None:
    """StreamingMaxPool of older versions."""
    _max_pool(writer, node, node.pair("PoolDim"), node.pair("PoolDim"), (0, 0, 0, 0))


def max_pool_nhwc(writer: Writer, node: Node, windows: dict[str, Window]) -> None:
    """MaxPoolNHWC before conversion."""
    pads = [int(n) for n in node.attr("pads", [0, 0, 0, 0])]
    kernel, stride = node.pair("kernel_shape"), node.pair("strides")
    _max_pool(writer, node, kernel, stride, (pads[0], pads[1], pads[2], pads[3]))


def _max_pool(
    writer: Writer,
    node: Node,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    pads: tuple[int, int, int, int],
) -> None:
    y = writer.op(
        "MaxPool",
        writer.first(node.inputs[0]),
        kernel_shape=list(kernel),
        strides=list(stride),
        pads=list(pads),
    )
    writer.give_first(node.outputs[0], y)


def global_sum(writer: Writer, node: Node, windows: dict[str, Window]) -> None:
    """GlobalAccPool: the sum over the image."""
    axes = writer.constant([2, 3], np.int64)
    total = writer.op("ReduceSum", writer.first(node.inputs[0]), axes, keepdims=1)
    writer.give_first(node.outputs[0], total)


def upsample(writer: Writer, node: Node, windows: dict[str, Window]) -> None:
    """UpsampleNearestNeighbour by whole factors."""
    sizes = [int(node.attr(name)) for name in ("HO", "HI", "WO", "WI")]
    if sizes[0] % sizes[1] or sizes[2] % sizes[3]:
        raise node.refusal("only whole factors are supported")
    factors = [1.0, 1.0, sizes[0] / sizes[1], sizes[2] / sizes[3]]
    y = writer.op(
        "Resize",
        writer.first(node.inputs[0]),
        "",
        writer.constant(factors),
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )
    writer.give_first(node.outputs[0], y)


def concat(writer: Writer, node: Node, windows: dict[str, Window]) -> None:
    """StreamingConcat: along the channels."""
    if any(writer.is_first(name) for name in node.inputs):
        names = [writer.first(name) for name in node.inputs]
        writer.give_first(node.outputs[0], writer.op("Concat", *names, axis=1))
        return
    names = [writer.value(name) for name in node.inputs]
    writer.op("Concat", *names, output=node.outputs[0], axis=-1)


def split(writer: Writer, node: Node, windows: dict[str, Window]) -> None:
    """StreamingSplit: groups of channels."""
    sizes = writer.constant([int(n) for n in node.attr("ChannelsPerStream")], np.int64)
    first = writer.is_first(node.inputs[0])
    x = writer.first(node.inputs[0]) if first else writer.value(node.inputs[0])
    name = writer.fresh("Split")
    outputs = [writer.fresh(output) if first else output for output in node.outputs]
    axis = 1 if first else -1
    writer.nodes.append(helper.make_node("Split", [x, sizes], outputs, name=name, axis=axis))
    if first:
        for output, made in zip(node.outputs, outputs, strict=True):
            writer.give_first(output, made)


def shuffle(writer: Writer, node: Node, windows: dict[str, Window]) -> None:
    """Shuffle: a transpose between reshapes."""
    apart, after = (
        writer.constant([int(n) for n in node.attr(name)], np.int64)
        for name in ("transpose_in_shape", "out_shape")
    )
    x = writer.op("Reshape", writer.value(node.inputs[0]), apart)
    moved = writer.op("Transpose", x, perm=[int(n) for n in node.attr("perm")])
    writer.op("Reshape", moved, after, output=node.outputs[0])
