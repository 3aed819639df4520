# SPDX-License-Identifier: Apache-2.0
"""Intervals of integer tensors: the least and greatest integer that each element can be.

One domain for everything that asks for a range. The bounds are arrays that broadcast against the
tensor: one for all elements, one for each channel, or one for each element along any axes. There
is one function for each operator, here for arithmetic and movement and in `integer/windowed.py`
for sliding windows. All are *sound*: no integer that the operator can give for inputs within their
intervals lies outside. Those said to be *exact* are tight as well: each end of each element is
attained, as long as the elements of the inputs can be chosen independently of each other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qnnc.compiler.errors import Unsupported
from qnnc.compiler.ir.facts import IntArray, Integer

MOST_BITS = 52
"""Integers beyond so many bits are refused: float64, which carries them, holds no more."""
MOST_ELEMENTS = 1 << 22
"""Tensors larger than this have one interval for all elements once their elements are mixed."""


@dataclass(frozen=True, eq=False)
class Interval:
    """The integers from low to high.

    Attributes:
        low: least integers, an array that broadcasts against the tensor.
        high: greatest integers, of the same shape.
    """

    low: IntArray
    high: IntArray

    @classmethod
    def of(cls, low: ArrayLike, high: ArrayLike) -> Self:
        """An interval from numbers, or arrays that broadcast against the tensor.

        Raises:
            ValueError: an upper bound lies below its lower one.
        """
        bounds = np.broadcast_arrays(np.asarray(low, np.int64), np.asarray(high, np.int64))
        if np.any(bounds[0] > bounds[1]):
            raise ValueError("an interval's upper bound lies below its lower one")
        return cls(*bounds)

    @property
    def least(self) -> int:
        """The least integer of any element."""
        return int(self.low.min())

    @property
    def greatest(self) -> int:
        """The greatest integer of any element."""
        return int(self.high.max())

    @property
    def magnitude(self) -> int:
        """The greatest absolute value of any element."""
        return max(-self.least, self.greatest)

    @property
    def is_uniform(self) -> bool:
        """One interval for all elements."""
        return self.low.size == 1

    def including(self, number: ArrayLike) -> Self:
        """With one more integer in it (one for each element, if an array is given)."""
        return self.of(np.minimum(self.low, number), np.maximum(self.high, number))

    @property
    def whole(self) -> Interval:
        """One interval for all elements."""
        return Interval.of(self.least, self.greatest)

    def spread(self, shape: Sequence[int]) -> Interval:
        """An interval for every element of a tensor."""
        return Interval.of(np.broadcast_to(self.low, shape), np.broadcast_to(self.high, shape))

    def by_axes(self, axes: Sequence[int], shape: Sequence[int]) -> Interval:
        """The hull over all axes of a tensor but these; shaped like the tensor, with ones there."""
        rank = len(shape)
        kept = {axis % rank for axis in axes}
        full = [a.reshape((1,) * (rank - a.ndim) + a.shape) for a in (self.low, self.high)]
        merged = tuple(axis for axis in range(rank) if axis not in kept)
        low, high = (
            full[0].min(axis=merged, keepdims=True),
            full[1].max(axis=merged, keepdims=True),
        )
        target = [shape[axis] if axis in kept else 1 for axis in range(rank)]
        return Interval.of(np.broadcast_to(low, target), np.broadcast_to(high, target))

    def varying(self, rank: int) -> tuple[int, ...]:
        """Axes of a tensor of this rank along which the bounds differ."""
        either = {*varying_axes(self.low, rank), *varying_axes(self.high, rank)}
        return tuple(sorted(either))


def interval_of(fact: Integer) -> Interval:
    """The interval that a fact states."""
    return Interval.of(fact.low, fact.high)


def varying_axes(array: NDArray[Any], rank: int) -> tuple[int, ...]:
    """Axes of a tensor of this rank along which an array that broadcasts against it differs."""
    found = []
    for axis, size in enumerate(array.shape):
        if size > 1 and not np.array_equal(
            np.broadcast_to(array.take([0], axis=axis), array.shape), array
        ):
            found.append(axis + rank - array.ndim)
    return tuple(found)


def compact(array: NDArray[Any]) -> NDArray[Any]:
    """The smallest array that broadcasts to the same."""
    for axis, size in enumerate(array.shape):
        if size > 1:
            first = array.take([0], axis=axis)
            if np.array_equal(np.broadcast_to(first, array.shape), array):
                array = first
    while array.ndim and array.shape[0] == 1:
        array = array[0]
    return array


def compacted(found: Interval) -> Interval:
    """The same interval, in the smallest arrays."""
    return Interval.of(compact(found.low), compact(found.high))


# --- arithmetic ---------------------------------------------------------------------------------


def add(x: Interval, y: Interval) -> Interval:
    """x + y. Exact."""
    return _checked(x.low + y.low, x.high + y.high)


def shifted(x: Interval, number: ArrayLike) -> Interval:
    """x plus constants that broadcast against it. Exact."""
    return add(x, Interval.of(number, number))


def scaled(x: Interval, factor: ArrayLike) -> Interval:
    """x times constants that broadcast against it. Exact."""
    return multiply(x, Interval.of(factor, factor))


def multiply(x: Interval, y: Interval) -> Interval:
    """x * y. Exact."""
    _check_reach(float(x.magnitude) * float(y.magnitude))
    ends = np.broadcast_arrays(x.low * y.low, x.low * y.high, x.high * y.low, x.high * y.high)
    return _checked(np.minimum.reduce(ends), np.maximum.reduce(ends))


def squared(x: Interval) -> Interval:
    """x * x, the same tensor twice. Exact."""
    _check_reach(float(x.magnitude) ** 2)
    ends = np.square(x.low), np.square(x.high)
    around = (x.low <= 0) & (x.high >= 0)
    return _checked(np.where(around, 0, np.minimum(*ends)), np.maximum(*ends))


def clipped(x: Interval, first: int, last: int) -> Interval:
    """x between two constants. Exact."""
    return Interval.of(np.clip(x.low, first, last), np.clip(x.high, first, last))


# --- sums of products ---------------------------------------------------------------------------


def matmul(x: Interval, weights: IntArray) -> Interval:
    """x [..., K] times constants [K, M]. Exact."""
    low, high = _rows(x, len(weights))
    _check_reach(float(x.magnitude) * _largest_sum(weights))
    positive, negative = np.maximum(weights, 0), np.minimum(weights, 0)
    return _checked(low @ positive + high @ negative, high @ positive + low @ negative)


def partial_sums(x: Interval, weights: IntArray) -> Interval:
    """All sums on the way to x [..., K] times constants [K, M], in any order of the terms: what
    must fit where the sum is computed. Exact."""
    return matmul(x.including(0), weights)


def product_of_two(x: Interval, w: Interval, count: int, *, partial: bool = False) -> Interval:
    """x [..., T, K] times w [..., K, M], both computed. Exact, unless they are of one tensor.

    Args:
        count: K.
        partial: the sums on the way too, in any order of the terms.
    """
    _check_reach(float(x.magnitude) * float(w.magnitude) * count)
    if x.is_uniform and w.is_uniform:
        x, w, repeated, count = x.whole, w.whole, count, 1
    else:
        repeated = 1
    x_low, x_high = _rows(x, count)
    w_low, w_high = (a.reshape((1,) * (2 - a.ndim) + a.shape) for a in (w.low, w.high))
    w_low, w_high = (
        np.broadcast_to(a, (*a.shape[:-2], count, a.shape[-1])) for a in (w_low, w_high)
    )
    low: IntArray = np.zeros((), np.int64)
    high: IntArray = np.zeros((), np.int64)
    for k in range(count):
        factor = Interval.of(x_low[..., k, None], x_high[..., k, None])
        term = multiply(factor, Interval.of(w_low[..., k : k + 1, :], w_high[..., k : k + 1, :]))
        term = term.including(0) if partial else term
        low, high = low + repeated * term.low, high + repeated * term.high
    return _checked(low, high)


def _rows(x: Interval, count: int) -> tuple[IntArray, IntArray]:
    low, high = (
        np.broadcast_to(a, (*a.shape[:-1], count) if a.ndim else (count,)) for a in (x.low, x.high)
    )
    return low, high


def _largest_sum(weights: IntArray) -> float:
    """The largest sum of absolute weights of an output, the last axis."""
    if not weights.size:
        return 0.0
    return float(np.abs(weights.astype(np.float64)).sum(axis=0).max())


# --- movement -----------------------------------------------------------------------------------


def concat(parts: Sequence[Interval], shapes: Sequence[Sequence[int]], axis: int) -> Interval:
    """Tensors side by side along an axis that is not negative. Exact.

    Args:
        shapes: of the tensors.
    """
    if all(p.is_uniform for p in parts) and len({(p.least, p.greatest) for p in parts}) == 1:
        return parts[0].whole
    if sum(math.prod(shape) for shape in shapes) > MOST_ELEMENTS:
        return Interval.of(min(p.least for p in parts), max(p.greatest for p in parts))
    full = [p.spread(shape) for p, shape in zip(parts, shapes, strict=True)]
    low = np.concatenate([p.low for p in full], axis=axis)
    high = np.concatenate([p.high for p in full], axis=axis)
    return compacted(Interval.of(low, high))


def moved(
    x: Interval, shape: Sequence[int], move: Callable[[NDArray[Any]], NDArray[Any]]
) -> Interval:
    """An operator that only moves, repeats or drops elements of a tensor. Exact up to
    MOST_ELEMENTS.

    Args:
        shape: of x.
        move: does it to an array of that shape.
    """
    if x.is_uniform or math.prod(shape) > MOST_ELEMENTS:
        return x.whole
    full = x.spread(shape)
    return compacted(Interval.of(move(full.low), move(full.high)))


# --- limits -------------------------------------------------------------------------------------


def _checked(low: IntArray, high: IntArray) -> Interval:
    found = Interval.of(low, high)
    if found.low.size:
        _check_reach(float(found.magnitude))
    return found


def _check_reach(reach: float) -> None:
    """Raise Unsupported for integers that int64 or float64 may not hold."""
    if reach >= 2.0**MOST_BITS:
        raise Unsupported(f"integers beyond {MOST_BITS} bits; quantize to fewer bits")
