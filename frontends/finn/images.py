# SPDX-License-Identifier: Apache-2.0
"""FINN's operators on images, channels first here: windows, padding, pooling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qonnx.core.datatype import BaseDataType

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


def im2col(writer: Writer, node: Node, windows: dict[str, Window]) -> None:
    """Im2Col before conversion."""
    shape = node.text("input_shape").strip("()[] ").split(",")
    pads = node.integers("pad_amount", [0, 0, 0, 0])
    windows[node.outputs[0]] = Window(
        writer.first(node.inputs[0]),
        int(shape[-1]),
        node.pair("kernel_size"),
        node.pair("stride"),
        node.pair("dilations", 1),
        (int(pads[0]), int(pads[1]), int(pads[2]), int(pads[3])),
    )


def geometry(window: Window) -> dict[str, Any]:
    """Attributes of an ONNX operator on such windows."""
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
    return writer.op("Conv", window.x, writer.weights(weights, kind), **geometry(window))


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
    return writer.op("Conv", window.x, quantized, group=window.channels, **geometry(window))


def max_pool_nhwc(writer: Writer, node: Node, windows: dict[str, Window]) -> None:
    """MaxPoolNHWC before conversion."""
    pads = node.integers("pads", [0, 0, 0, 0])
    kernel, stride = node.pair("kernel_shape"), node.pair("strides")
    max_pool(writer, node, kernel, stride, (pads[0], pads[1], pads[2], pads[3]))


def max_pool(
    writer: Writer,
    node: Node,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    pads: tuple[int, int, int, int],
) -> None:
    """The maxima of an image's windows."""
    y = writer.op(
        "MaxPool",
        writer.first(node.inputs[0]),
        kernel_shape=list(kernel),
        strides=list(stride),
        pads=list(pads),
    )
    writer.give_first(node.outputs[0], y)
