# SPDX-License-Identifier: Apache-2.0
"""Effects with intervals, for tables of results by activation width (rows) and weight width.

Errors vary with what training draws. Their contrasts are paired by rows (or by columns), each row
giving one difference; the interval is Student's, 95 %, over these differences, as if they were
independent. All networks are tested on the same images, whose choice it does not cover. Resources
are the same in each run, so theirs is not a sampling interval: it is the range that a share of
variance takes when any one width is left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95

Table = NDArray[np.float64]


@dataclass(frozen=True)
class Effect:
    """A size with its interval.

    Attributes:
        value: the estimate; percentage points for errors, a share for variances.
        low, high: ends of the interval; equal to `value` if one difference is all there is.
        count: how many paired differences, or tables with one width left out, it comes from.
    """

    value: float
    low: float
    high: float
    count: int

    @property
    def known(self) -> bool:
        """Whether there is an interval at all."""
        return self.count > 1

    def above(self, bound: float) -> bool | None:
        """Whether the effect is greater than `bound`; None if the interval holds it."""
        if not self.known or self.low <= bound <= self.high:
            return None
        return self.low > bound


def paired(differences: NDArray[np.float64]) -> Effect | None:
    """Mean of paired differences with Student's interval (scipy.stats.t); None if one is missing.

    Args:
        differences: one per pair, any shape.
    """
    values = np.asarray(differences, dtype=np.float64).ravel()
    if not values.size or np.isnan(values).any():
        return None
    mean = float(values.mean())
    if values.size == 1:
        return Effect(mean, mean, mean, 1)
    from scipy import stats

    spread = float(values.std(ddof=1) / np.sqrt(values.size))
    half = spread * float(stats.t.ppf((1 + LEVEL) / 2, values.size - 1))
    return Effect(mean, mean - half, mean + half, values.size)


def columns(table: Table, left: list[int], right: list[int]) -> Effect | None:
    """Mean of some columns less the mean of others, paired by rows; None where either is empty or
    holds a cell that is missing."""
    if not left or not right:
        return None
    return paired(table[:, left].mean(axis=1) - table[:, right].mean(axis=1))


def shares_of_variance(table: Table) -> tuple[float, float] | None:
    """How much of a table's variance its columns' means (weight widths) and its rows' means
    (activation widths) explain: eta squared of two-way analysis of variance. None if cells are
    missing or all are the same."""
    if np.isnan(table).any() or table.size < 2 or not table.var() > 0:
        return None
    total = table.var()
    return float(table.mean(axis=0).var() / total), float(table.mean(axis=1).var() / total)


def shares(table: Table) -> tuple[Effect, Effect] | None:
    """`shares_of_variance` (weights, activations), each with its range when one width is left out;
    None if they are not known."""
    whole = shares_of_variance(table)
    if whole is None:
        return None
    tables = [table]
    if min(table.shape) > 2:
        tables += [np.delete(table, i, axis) for axis in (0, 1) for i in range(table.shape[axis])]
    found = [share for one in tables if (share := shares_of_variance(one)) is not None]
    each = zip(whole, zip(*found, strict=True), strict=True)
    weights, activations = (Effect(v, min(all_), max(all_), len(all_)) for v, all_ in each)
    return weights, activations
