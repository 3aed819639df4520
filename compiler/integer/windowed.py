# SPDX-License-Identifier: Apache-2.0
"""Intervals of what sliding windows give: convolutions, maxima and sums."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from qnnc.compiler.errors import Unsupported
from qnnc.compiler.integer.window import Window
from qnnc.compiler.ir.facts import IntArray
from qnnc.compiler.ir.intervals import MOST_BITS, Interval, compacted

MOST_TERMS = 1 << 25
"""Products of windows, elements and channels up to which every place of an image is looked at."""


def convolve(
    x: Interval, shape: Sequence[int], codes: IntArray, window: Window, group: int
) -> Interval:
    """A convolution with constants, padded with zeros. Exact up to MOST_TERMS; beyond, one interval
    for each channel, sound.

    Args:
        shape: of x, [1, C, H, W] or [1, C, L].
        codes: [M, C / groups, KH, KW] or [M, C / groups, K].

    Returns:
        One interval for each output channel, or for each element of the output where the input's
        bounds differ along its image.
    """
    outputs, per_group = codes.shape[:2]
    weights = codes.reshape(outputs, per_group, -1)
    reach = np.abs(weights.astype(np.float64)).sum(axis=(1, 2)).max(initial=0) * x.magnitude
    if reach >= 2.0**MOST_BITS:
        raise Unsupported(f"sums beyond {MOST_BITS} bits; quantize to fewer bits")
    seen = _seen(outputs, per_group, group)
    if _differs_along_image(x, len(shape)) and _terms(shape, window) <= MOST_TERMS:
        low, high = _everywhere(x, shape, weights, window, seen)
        sizes = window.out[4 - len(shape) :]
    else:
        low, high = _by_channel(x, shape, weights, window, seen)
        sizes = (1,) * (len(shape) - 2)
    return compacted(Interval.of(low.reshape(1, outputs, *sizes), high.reshape(1, outputs, *sizes)))


def convolve_partial(
    x: Interval, shape: Sequence[int], codes: IntArray, window: Window, group: int
) -> Interval:
    """All sums on the way, in any order of the terms: one interval for the whole output. The
    arguments have the shapes that `convolve` names."""
    return convolve(x.including(0), shape, codes, window, group).including(0).whole


def sum_pool(x: Interval, shape: Sequence[int], window: Window) -> Interval:
    """Sums of windows, padded with zeros; as for a convolution of each channel with ones."""
    ones = np.ones((shape[1], 1, *window.kernel[4 - len(shape) :]), dtype=np.int64)
    return convolve(x, shape, ones, window, shape[1])


def max_pool(x: Interval, shape: Sequence[int], window: Window) -> Interval:
    """Maxima of windows, none of which lies in the padding alone: padding is never chosen. Exact up
    to MOST_TERMS, one interval for each channel beyond."""
    rank = len(shape)
    if not _differs_along_image(x, rank):
        return compacted(x)
    if _terms(shape, window) > MOST_TERMS:
        return compacted(x.by_axes([1], shape))
    taken, full, bounds = window.indices(), x.spread((1, *shape[1:])), []
    for bound in (full.low, full.high):
        padded = np.full((shape[1], *window.padded), np.iinfo(np.int64).min)
        padded[(slice(None), *_image(window))] = bound.reshape(shape[1], *window.image)
        bounds.append(padded.reshape(shape[1], -1)[:, taken].max(axis=2))
    sizes = window.out[4 - rank :]
    low, high = (bound.reshape(1, shape[1], *sizes) for bound in bounds)
    return compacted(Interval.of(low, high))


def _terms(shape: Sequence[int], window: Window) -> int:
    """Elements of all windows of all channels."""
    return math.prod((shape[1], *window.out, *window.kernel))


def _image(window: Window) -> tuple[slice, slice]:
    """Where the image lies in the padded one."""
    rows, columns = (
        slice(before, before + size)
        for before, size in zip(window.before, window.image, strict=True)
    )
    return rows, columns


def _differs_along_image(x: Interval, rank: int) -> bool:
    return any(axis >= 2 for axis in x.varying(rank))


def _seen(outputs: int, per_group: int, group: int) -> IntArray:
    """For each output the channels that it sums over."""
    first = np.arange(outputs) // (outputs // group) * per_group
    return first[:, None] + np.arange(per_group)


def _by_channel(
    x: Interval, shape: Sequence[int], weights: IntArray, window: Window, seen: IntArray
) -> tuple[IntArray, IntArray]:
    """[M] where all places of a channel have one interval: windows differ only in which of
    their elements lie in the padding."""
    channels = x.by_axes([1], (1, *shape[1:]))
    low, high = (a.ravel()[seen][:, :, None] for a in (channels.low, channels.high))
    ends = low * weights, high * weights
    least, greatest = np.minimum(*ends).sum(axis=1), np.maximum(*ends).sum(axis=1)  # [M, K]
    rows, columns = (_masks(window, axis) for axis in (0, 1))
    masks = (rows[:, None, :, None] & columns[None, :, None, :]).reshape(
        len(rows) * len(columns), -1
    )
    counted = masks.astype(np.int64).T
    return (least @ counted).min(axis=1), (greatest @ counted).max(axis=1)


def sees_only_padding(window: Window) -> bool:
    """There is a window without any element of the image."""
    return any(not _masks(window, axis).any(axis=1).all() for axis in (0, 1))


def _masks(window: Window, axis: int) -> NDArray[np.bool_]:
    """Which elements of a window lie inside the image along an axis, for each different window."""
    starts = np.arange(window.out[axis]) * window.stride[axis] - window.before[axis]
    places = starts[:, None] + np.arange(window.kernel[axis]) * window.dilation[axis]
    masks: NDArray[np.bool_] = np.unique((places >= 0) & (places < window.image[axis]), axis=0)
    return masks


def _everywhere(
    x: Interval, shape: Sequence[int], weights: IntArray, window: Window, seen: IntArray
) -> tuple[IntArray, IntArray]:
    """[M, windows], every place of the image on its own. Sums are exact in float64."""
    full, taken = x.spread((1, *shape[1:])), window.indices()
    ends = []
    for bound in (full.low, full.high):
        padded = np.zeros((shape[1], *window.padded))
        padded[(slice(None), *_image(window))] = bound.reshape(shape[1], *window.image)
        ends.append(padded.reshape(shape[1], -1)[:, taken])  # [C, windows, K]
    positive, negative = (
        np.maximum(weights, 0).astype(np.float64),
        np.minimum(weights, 0).astype(np.float64),
    )
    low = np.empty((len(weights), len(taken)))
    high = np.empty_like(low)
    for first in np.unique(seen[:, 0]):
        rows = np.flatnonzero(seen[:, 0] == first)
        lows, highs = (end[seen[rows[0]]] for end in ends)
        for result, own, other in ((low, lows, highs), (high, highs, lows)):
            result[rows] = np.einsum("mck,cpk->mp", positive[rows], own, optimize=True)
            result[rows] += np.einsum("mck,cpk->mp", negative[rows], other, optimize=True)
    return low.astype(np.int64), high.astype(np.int64)
