# SPDX-License-Identifier: Apache-2.0
"""Where a sliding window looks: ONNX's kernel, strides, dilations and pads, made explicit.

One-dimensional operators are two-dimensional ones with a height of one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from qnnc.compiler.errors import ModelError, Unsupported, quote
from qnnc.compiler.ir.edit import attribute, shape_of
from qnnc.compiler.ir.facts import IntArray

Pair = tuple[int, int]


@dataclass(frozen=True)
class Window:
    """Geometry of a window over [C, H, W]; all pairs are (height, width).

    Attributes:
        image: of the input, not padded.
        kernel: elements of the window.
        stride: steps between windows.
        dilation: distance between the window's elements.
        before: padding at the top and at the left.
        after: padding at the bottom and at the right.
    """

    image: Pair
    kernel: Pair
    stride: Pair
    dilation: Pair
    before: Pair
    after: Pair

    @property
    def padded(self) -> Pair:
        """Size of the padded image."""
        return tuple(  # type: ignore[return-value]
            i + b + a for i, b, a in zip(self.image, self.before, self.after, strict=True)
        )

    @property
    def reach(self) -> Pair:
        """Rows and columns that a window spans."""
        return tuple(  # type: ignore[return-value]
            (k - 1) * d + 1 for k, d in zip(self.kernel, self.dilation, strict=True)
        )

    @property
    def out(self) -> Pair:
        """Windows down and across."""
        return tuple(  # type: ignore[return-value]
            (p - r) // s + 1 for p, r, s in zip(self.padded, self.reach, self.stride, strict=True)
        )

    @property
    def is_padded(self) -> bool:
        """There is any padding."""
        return any(self.before) or any(self.after)

    @property
    def elements(self) -> int:
        """Elements of a window."""
        return self.kernel[0] * self.kernel[1]

    def indices(self) -> IntArray:
        """For each window [OH * OW] and each of its elements [KH * KW] the pixel of the padded
        image, both row by row."""
        (kh, kw), (sh, sw), (dh, dw) = self.kernel, self.stride, self.dilation
        width = self.padded[1]
        corner = (np.arange(self.out[0]) * sh)[:, None] * width + np.arange(self.out[1]) * sw
        inside = (np.arange(kh) * dh)[:, None] * width + np.arange(kw) * dw
        pixels: IntArray = corner.reshape(-1, 1) + inside.reshape(1, -1)
        return pixels.astype(np.int64)


def window_of(node: ir.Node, kernel: Sequence[int] | None = None) -> Window:
    """The window of a Conv or a pool.

    Args:
        kernel: where the operator does not say it itself.

    Raises:
        Unsupported: more than two spatial dimensions.
        ModelError: the attributes contradict each other.
    """
    source = node.inputs[0]
    assert source is not None
    image = shape_of(source)[2:]
    rank = len(image)
    if rank not in (1, 2):
        raise Unsupported(f"{rank} spatial dimensions; 1 or 2 are supported")
    taken = list(attribute(node, "kernel_shape", kernel) or [])
    stride = list(attribute(node, "strides", [1] * rank))
    dilation = list(attribute(node, "dilations", [1] * rank))
    if not len(taken) == len(stride) == len(dilation) == rank:
        raise ModelError(
            f"node {quote(node.name)}: kernel {taken}, strides {stride} and dilations {dilation} "
            f"do not all have {rank} dimensions"
        )
    if min(*taken, *stride, *dilation) < 1:
        raise ModelError(f"node {quote(node.name)}: kernel, strides and dilations are positive")
    before, after = _pads(node, image, taken, stride, dilation)
    if attribute(node, "ceil_mode", 0):
        after = _ceiled(image, taken, stride, dilation, before, after)
    fields = (list(image), taken, stride, dilation, before, after)
    filler = (1, 1, 1, 1, 0, 0)
    window = Window(*(_pair(f, v) for f, v in zip(fields, filler, strict=True)))
    if min(window.out) < 1:
        raise ModelError(
            f"node {quote(node.name)}: a window of {window.reach[0]} x {window.reach[1]} does not "
            f"fit its input of {window.padded[0]} x {window.padded[1]}"
        )
    return window


def _pair(values: Sequence[int], filler: int) -> Pair:
    return (filler, values[0]) if len(values) == 1 else (values[0], values[1])


def _pads(
    node: ir.Node, image: Sequence[int], kernel: list[int], stride: list[int], dilation: list[int]
) -> tuple[list[int], list[int]]:
    mode = attribute(node, "auto_pad", "NOTSET")
    rank = len(image)
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        totals = [
            max(0, (-(-i // s) - 1) * s + (k - 1) * d + 1 - i)
            for i, k, s, d in zip(image, kernel, stride, dilation, strict=True)
        ]
        small, large = [t // 2 for t in totals], [t - t // 2 for t in totals]
        return (small, large) if mode == "SAME_UPPER" else (large, small)
    if mode == "VALID":
        return [0] * rank, [0] * rank
    pads = list(attribute(node, "pads", [0] * 2 * rank))
    if len(pads) != 2 * rank or min(pads) < 0:
        raise ModelError(f"node {quote(node.name)}: pads {pads} should be {2 * rank} sizes")
    return pads[:rank], pads[rank:]


def _ceiled(
    image: Sequence[int],
    kernel: list[int],
    stride: list[int],
    dilation: list[int],
    before: list[int],
    after: list[int],
) -> list[int]:
    """Padding at the end that makes room for the last window that ceil_mode adds; ONNX drops a
    window that would start in the padding."""
    result = []
    for i, k, s, d, b, a in zip(image, kernel, stride, dilation, before, after, strict=True):
        reach = (k - 1) * d + 1
        count = -(-(i + b + a - reach) // s) + 1
        if (count - 1) * s >= i + b:
            count -= 1
        result.append(max(0, (count - 1) * s + reach - i - b))
    return result
