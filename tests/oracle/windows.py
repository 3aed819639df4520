# SPDX-License-Identifier: Apache-2.0
"""Windows over images of any number of dimensions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tests.oracle.node import Node
from tests.oracle.spans import Array


@dataclass(frozen=True)
class Geometry:
    """How windows lie over an image.

    Attributes:
        kernel: size of a window.
        strides: from one window to the next.
        dilations: from one element of a window to the next.
        before: padding, `after` likewise.
        after: with what ceil_mode adds.
        counted: what of `after` is the user's own padding.
    """

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]
    counted: tuple[int, ...]

    @classmethod
    def of(cls, node: Node, image: Sequence[int], kernel: Sequence[int]) -> Geometry:
        """From an operator's attributes."""
        rank = len(image)
        strides = list(node.get("strides") or [1] * rank)
        dilations = list(node.get("dilations") or [1] * rank)
        pads = list(node.get("pads") or [0] * 2 * rank)
        auto = node.get("auto_pad", "NOTSET")
        before, after = pads[:rank], pads[rank:]
        if auto.startswith("SAME"):
            for i in range(rank):
                wide = (kernel[i] - 1) * dilations[i] + 1
                total = max(
                    (math.ceil(image[i] / strides[i]) - 1) * strides[i] + wide - image[i], 0
                )
                small = total // 2
                upper = auto == "SAME_UPPER"
                before[i], after[i] = (small, total - small) if upper else (total - small, small)
        counted = tuple(after)
        if node.get("ceil_mode", 0):
            for i in range(rank):
                wide = (kernel[i] - 1) * dilations[i] + 1
                room = image[i] + before[i] + after[i] - wide
                count = -(-room // strides[i]) + 1
                if (count - 1) * strides[i] >= image[i] + before[i]:
                    count -= 1
                after[i] = max(after[i], (count - 1) * strides[i] + wide - image[i] - before[i])
        parts = (kernel, strides, dilations, before, after)
        return cls(*(tuple(int(v) for v in p) for p in parts), counted)


def padded(x: Array, before: Sequence[int], after: Sequence[int], value: float) -> Array:
    """With a border; negative padding cuts off."""
    rank = len(before)
    grown = [(0, 0)] * (x.ndim - rank) + [
        (max(b, 0), max(a, 0)) for b, a in zip(before, after, strict=True)
    ]
    x = np.pad(x, grown, constant_values=value)
    cut = tuple(
        slice(max(-b, 0), size - max(-a, 0))
        for b, a, size in zip(before, after, x.shape[-rank:], strict=True)
    )
    return x[(..., *cut)]


def windows(x: Array, geometry: Geometry, value: float = 0.0) -> Array:
    """[N, C, *places, *kernel] of an image [N, C, *image]."""
    g, rank = geometry, len(geometry.kernel)
    x = padded(x, g.before, g.after, value)
    wide = [(k - 1) * d + 1 for k, d in zip(g.kernel, g.dilations, strict=True)]
    axes = tuple(range(x.ndim - rank, x.ndim))
    view = np.lib.stride_tricks.sliding_window_view(x, wide, axis=axes)
    steps = tuple(slice(None, None, s) for s in g.strides)
    inner = tuple(slice(None, None, d) for d in g.dilations)
    return np.asarray(view[(slice(None), slice(None), *steps, *inner)])
