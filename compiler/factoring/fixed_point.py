# SPDX-License-Identifier: Apache-2.0
"""Lines in integers: a * y + b >= T exactly where y has reached its row's step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qnnc.compiler.factoring.line import Bounds, Floats, Lines
from qnnc.compiler.ir.facts import IntArray

SPREAD = (0.0, -0.04, 0.04, -0.01, 0.01, -0.003, 0.003)
"""Tilts that are tried in turn for a row that no line satisfies, in inputs at its ends."""


@dataclass(frozen=True, eq=False)
class Fixed:
    """Integer lines u = slope * y + intercept, y as it comes (not from the row's centre).

    Attributes:
        slope: [rows], not negative.
        intercept: [rows].
        targets: [steps], what u has to reach, ascending.
        fraction: bits of u after the point.
        missed: steps of rows that are not met.
    """

    slope: IntArray
    intercept: IntArray
    targets: IntArray
    fraction: int
    missed: int


def fit_exactly(
    bounds: Bounds, targets: IntArray, fraction: int, slopes: tuple[Floats, Floats, Floats]
) -> Fixed | None:
    """Round lines to `fraction` bits so that every step is met; None where that takes more bits.

    Args:
        bounds: of the rows.
        targets: T [steps] in units of 2**-fraction.
        fraction: bits after the point.
        slopes: the best slope of each row [rows], the least and the greatest.
    """
    best, least, greatest = (s * 2.0**fraction for s in slopes)
    first, last = np.ceil(least), np.floor(greatest)
    if np.any(first > last):
        return None
    slope = np.clip(np.rint(best), np.maximum(first, 1), last)
    # rows that leave a choice take no more bits than those that do not
    widest = 2.0 ** np.ceil(np.log2(np.maximum(first, 1).max() + 1)) - 1
    slope = np.where(slope > widest, np.maximum(widest, first), slope).astype(np.int64)
    low, high = _intercepts(bounds, targets, slope)
    if np.any(low > high):
        return None
    shift = slope * bounds.centre
    return Fixed(slope, _roundest(low - shift, high - shift), targets, fraction, 0)


def fit_closely(
    bounds: Bounds, targets: IntArray, fraction: int, lines: Lines, zeros: int
) -> Fixed:
    """Round lines to `fraction` bits, whatever steps are missed.

    Args:
        bounds: of the rows.
        targets: T [steps] in units of 2**-fraction.
        fraction: bits after the point.
        lines: to round.
        zeros: bits at the end of intercepts that are to be zero.
    """
    slope = np.maximum(np.rint(lines.slope * 2.0**fraction), 1).astype(np.int64)
    intercept = np.rint(lines.intercept * 2.0**fraction).astype(np.int64)
    return _rounded_lines(bounds, targets, fraction, slope, intercept, zeros)


def meet_more(bounds: Bounds, fixed: Fixed) -> Fixed:
    """Move the lines of rows that miss steps, so that they miss fewer."""
    low, high = _intercepts(bounds, fixed.targets, fixed.slope)
    bad = np.asarray(low > high)
    slope, intercept = fixed.slope.copy(), low + (high - low) // 2
    slope[bad], intercept[bad] = _most_met(bounds.rows(bad), fixed.targets, slope[bad])
    zeros = trailing_zeros(fixed.intercept)
    moved = _rounded_lines(bounds, fixed.targets, fixed.fraction, slope, intercept, zeros)
    return moved if moved.missed < fixed.missed else fixed


def _rounded_lines(
    bounds: Bounds,
    targets: IntArray,
    fraction: int,
    slope: IntArray,
    intercept: IntArray,
    zeros: int,
) -> Fixed:
    """Lines with intercepts (given from the centre) of `zeros` zero bits at the end."""
    absolute = intercept - slope * bounds.centre
    absolute = ((absolute + ((1 << zeros) >> 1)) >> zeros) << zeros
    missed = _missed(bounds, targets, slope, absolute + slope * bounds.centre)
    return Fixed(slope, absolute, targets, fraction, missed)


def _missed(bounds: Bounds, targets: IntArray, slope: IntArray, intercept: IntArray) -> int:
    """Steps that lines, counted from the centre, do not meet."""
    above = slope[:, None] * bounds.above.astype(np.int64) + intercept[:, None]
    below = slope[:, None] * bounds.below.astype(np.int64) + intercept[:, None]
    late, early = bounds.has_above & (above < targets), bounds.has_below & (below >= targets)
    return int((late | early).sum())


def _intercepts(bounds: Bounds, targets: IntArray, slope: IntArray) -> tuple[IntArray, IntArray]:
    """Least and greatest intercept, counted from the centre, that meets all steps of a row."""
    needed = targets - slope[:, None] * bounds.above.astype(np.int64)
    allowed = targets - 1 - slope[:, None] * bounds.below.astype(np.int64)
    limit = np.iinfo(np.int64).max // 2
    low = np.where(bounds.has_above, needed, -limit).max(axis=1)
    high = np.where(bounds.has_below, allowed, limit).min(axis=1)
    return low, high


def _most_met(bounds: Bounds, targets: IntArray, slope: IntArray) -> tuple[IntArray, IntArray]:
    """Slope and intercept of each row, of some near the given ones, that meet the most steps."""
    limit = np.iinfo(np.int64).max // 2
    span = np.maximum(np.abs(bounds.above).max(axis=1), 1)
    best = np.full(len(slope), -1, dtype=np.int64)
    chosen, intercept = slope.copy(), np.zeros_like(slope)
    for share in SPREAD:
        trial = np.maximum(chosen + np.rint(share * chosen / span).astype(np.int64), 1)
        needed = targets - trial[:, None] * bounds.above.astype(np.int64)
        allowed = targets - trial[:, None] * bounds.below.astype(np.int64)
        low = np.where(bounds.has_above, needed, -limit)
        high = np.where(bounds.has_below, allowed, limit)
        point, met = _most_covered(low, high)
        better = met > best
        best = np.where(better, met, best)
        chosen, intercept = np.where(better, trial, chosen), np.where(better, point, intercept)
    return chosen, intercept


def _most_covered(low: IntArray, high: IntArray) -> tuple[IntArray, IntArray]:
    """For each row an integer that lies in the most of its intervals low..high - 1, among those
    that do, and in how many."""
    ends = np.concatenate([low, high], axis=1)
    gain = np.concatenate([np.ones(low.shape, np.int64), -np.ones(high.shape, np.int64)], axis=1)
    # at one place intervals end before others begin
    order = np.lexsort((gain, ends), axis=1)
    ends = np.take_along_axis(ends, order, axis=1)
    cover = np.take_along_axis(gain, order, axis=1).cumsum(axis=1)
    best = cover.argmax(axis=1)
    row = np.arange(len(low))
    first, after = ends[row, best], ends[row, np.minimum(best + 1, ends.shape[1] - 1)]
    return first + (after - 1 - first) // 2, cover[row, best]


def _roundest(low: IntArray, high: IntArray) -> IntArray:
    """A number of each interval low..high; all of them with as many zero bits at the end as
    possible, and near the middle."""
    zeros = 0
    while zeros < 62 and np.all((high >> (zeros + 1)) << (zeros + 1) >= low):
        zeros += 1
    middle = low + (high - low) // 2
    rounded = (middle >> zeros) << zeros
    rounded = np.where(rounded < low, rounded + (1 << zeros), rounded)
    return np.asarray(np.where(rounded > high, (high >> zeros) << zeros, rounded))


def trailing_zeros(values: NDArray[np.int64]) -> int:
    """Zero bits at the end of all integers of an array of any shape."""
    together = int(np.bitwise_or.reduce(values))
    return (together & -together).bit_length() - 1 if together else 0
