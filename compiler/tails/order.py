# SPDX-License-Identifier: Apache-2.0
"""Integers in the same order as scaled and biased scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from qnnc.compiler.errors import Unsupported
from qnnc.compiler.ir.facts import IntArray, integer
from qnnc.compiler.tails.scores import ScoreTail

FLOAT32_ROUNDING = 2.0**-22
"""Scores closer than this, relative to the largest, tie in the golden graph's float32."""
SPARSE = 256
"""Of so many pairs in order, one is compared before all are."""


@dataclass(frozen=True)
class OrderMap:
    """sum * factor + addend orders classes as the scores do.

    Attributes:
        factor: one per class, or one for all.
        addend: one per class, or one for all.
    """

    factor: IntArray
    addend: IntArray


def order_map(model: ir.Model, tail: ScoreTail, max_elements: int, max_bits: int) -> OrderMap:
    """The cheapest map found.

    Raises:
        Unsupported: none with factors of up to `max_bits` bits keeps the order everywhere.
    """
    scale = np.broadcast_to(tail.scale, (tail.classes,))
    if np.all(scale == scale[0]) and scale[0] != 0:
        return _same_scale(float(scale[0]), tail)
    return _search(tail, max_elements, max_bits)


def _same_scale(scale: float, tail: ScoreTail) -> OrderMap:
    """With one scale, scores compare as sum + bias/scale: whole parts add, and broken parts
    only break ties, so that their ranks do as well. Exact for any range."""
    sign = 1 if scale > 0 else -1
    shift = np.broadcast_to(tail.offset, (tail.classes,)) / abs(scale)
    whole = np.floor(shift)
    parts, rank = np.unique(shift - whole, return_inverse=True)
    factor = 1 << (len(parts) - 1).bit_length()
    addend = (whole.astype(np.int64) * factor + rank).astype(np.int64)
    addend -= addend.min() if np.all(addend == addend[0]) else 0
    return OrderMap(np.asarray([sign * factor]), addend if addend.any() else np.asarray([0]))


def _search(tail: ScoreTail, max_elements: int, max_bits: int) -> OrderMap:
    fact = integer(tail.anchor)
    assert fact is not None
    low = np.broadcast_to(fact.low.ravel(), (tail.classes,))
    high = np.broadcast_to(fact.high.ravel(), (tail.classes,))
    if int((high - low + 1).sum()) > max_elements:
        raise Unsupported("its scores have scales of their own and too wide a range to check")
    sums = np.concatenate([np.arange(a, b + 1) for a, b in zip(low, high, strict=True)])
    owner = np.repeat(np.arange(tail.classes), high - low + 1)
    scale = np.broadcast_to(tail.scale, (tail.classes,))
    offset = np.broadcast_to(tail.offset, (tail.classes,))
    exact = sums * scale[owner] + offset[owner]
    order = np.argsort(exact, kind="stable")
    sums, owner, exact = sums[order], owner[order], exact[order]
    tie = max(-exact[0], exact[-1], 0) * FLOAT32_ROUNDING
    below = np.searchsorted(exact, exact - tie)  # how many scores are certainly lower
    above = np.flatnonzero(below)
    below, sample = below[above] - 1, above[::SPARSE]
    for bits in range(1, max_bits + 1):
        unit = np.abs(scale).max() / ((1 << bits) - 1)
        factor = np.rint(scale / unit).astype(np.int64)
        addend = np.rint(offset / unit).astype(np.int64)

        def mapped(at: IntArray, factor: IntArray = factor, addend: IntArray = addend) -> IntArray:
            return sums[at] * factor[owner[at]] + addend[owner[at]]

        # nearly every map that is wrong is seen to be by a few pairs
        if not np.all(mapped(below[::SPARSE]) < mapped(sample)):
            continue
        highest = np.maximum.accumulate(mapped(np.arange(len(exact))))
        if np.all(highest[below] < mapped(above)):
            return OrderMap(factor, addend)
    raise Unsupported(f"no {max_bits}-bit scale and bias keep the order of its scores")
