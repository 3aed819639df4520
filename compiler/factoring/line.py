# SPDX-License-Identifier: Apache-2.0
"""Straight lines u(y) = p + q * (y - centre) between bounds, for many rows at once.

Row r asks for u(above[r, i]) >= T_i and u(below[r, i]) < T_i, where these places are finite. For
a slope q, the intercepts that satisfy a row form an interval; half its width, the slack, is a
concave, piecewise linear function of q. Its maximum is where two tangents meet, its zeros are
reached from outside by Newton steps: a few evaluations each, over all rows together.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from qnnc.compiler.factoring.staircase import Staircase

Floats = NDArray[np.float64]
ROUNDS = 48
"""Evaluations after which a search stops wherever it is."""


@dataclass(frozen=True, eq=False)
class Bounds:
    """Where lines are bounded; places are counted from each row's centre.

    Attributes:
        centre: [rows].
        above: [rows, steps], the first place at or above threshold i, 0 where there is none.
        below: [rows, steps], the last place below threshold i, 0 where there is none.
        has_above: [rows, steps], `above` exists (some input reaches the threshold).
        has_below: [rows, steps], `below` exists (some input does not).
    """

    centre: NDArray[np.int64]
    above: Floats
    below: Floats
    has_above: NDArray[np.bool_]
    has_below: NDArray[np.bool_]

    @classmethod
    def of(cls, stairs: Staircase) -> Bounds:
        """Every step inside a row's range bounds the row from both sides; steps at its ends, which
        are always or never reached, from one."""
        low, high, steps = stairs.low[:, None], stairs.high[:, None], stairs.steps
        has_above, has_below = steps <= high, steps > low
        inside = has_above & has_below
        first = np.where(inside, steps, high).min(axis=1)
        last = np.where(inside, steps, low).max(axis=1)
        centre = (first + last) // 2
        above = np.where(has_above, steps - centre[:, None], 0)
        below = np.where(has_below, np.minimum(steps - 1, high) - centre[:, None], 0)
        return cls(centre, above.astype(float), below.astype(float), has_above, has_below)

    def rows(self, chosen: NDArray[np.bool_]) -> Bounds:
        """Some of the rows, chosen by flags [rows]."""
        return Bounds(*(getattr(self, field.name)[chosen] for field in fields(self)))

    def without(self, ignored: NDArray[np.bool_]) -> Bounds:
        """Without the steps that flags [rows, steps] name."""
        return replace(
            self, has_above=self.has_above & ~ignored, has_below=self.has_below & ~ignored
        )


@dataclass(frozen=True, eq=False)
class Slack:
    """Slack of each row for a slope of each row, its derivative, and the best intercept."""

    value: Floats
    gradient: Floats
    intercept: Floats


class Problem:
    """The lines between bounds for given thresholds T [steps]."""

    def __init__(self, bounds: Bounds, targets: Floats) -> None:
        self.bounds = bounds
        self._needed = np.where(bounds.has_above, targets, -np.inf)
        self._allowed = np.where(bounds.has_below, targets, np.inf)
        self._index = np.arange(len(bounds.centre))

    def slack(self, slope: Floats) -> Slack:
        """Evaluate the slack at a slope of each row, [rows]."""
        above, below, index = self.bounds.above, self.bounds.below, self._index
        needed = self._needed - slope[:, None] * above
        allowed = self._allowed - slope[:, None] * below
        i, j = needed.argmax(axis=1), allowed.argmin(axis=1)
        low, high = needed[index, i], allowed[index, j]
        # a row without bounds on a side has some room there
        high = np.where(np.isfinite(high), high, np.where(np.isfinite(low), low, 0) + 2)
        low = np.where(np.isfinite(low), low, high - 2)
        return Slack((high - low) / 2, (above[index, i] - below[index, j]) / 2, (high + low) / 2)


@dataclass(frozen=True, eq=False)
class Lines:
    """A line for each row, [rows] each."""

    slope: Floats
    intercept: Floats
    slack: Floats

    def at(self, places: Floats) -> Floats:
        """u at places [rows, steps] counted from the centre."""
        return self.intercept[:, None] + self.slope[:, None] * places


def best_lines(problem: Problem, steepest: float) -> Lines:
    """The line of the most slack for each row.

    Args:
        steepest: slope beyond which none is sought (rows with a single step know no limit).
    """
    rows = len(problem.bounds.centre)
    left = np.zeros(rows)
    right = np.full(rows, steepest)
    a, b = problem.slack(left), problem.slack(right)
    best, found = right.copy(), b
    # where it still rises at the end, or falls from the start, the best slope is there
    open_ = (b.gradient < 0) & (a.gradient > 0)
    best = np.where(a.gradient <= 0, left, best)
    found = _choose(a.gradient <= 0, a, found)
    for _ in range(ROUNDS):
        if not open_.any():
            break
        gap = np.where(open_, a.gradient - b.gradient, 1.0)
        rise = b.value - b.gradient * right - a.value + a.gradient * left
        middle = np.where(open_, np.clip(rise / gap, left, right), best)
        reachable = a.value + a.gradient * (middle - left)
        m = problem.slack(middle)
        best, found = np.where(open_, middle, best), _choose(open_, m, found)
        done = reachable - m.value <= 1e-9 * (1 + np.abs(m.value))
        up = open_ & (m.gradient > 0)
        down = open_ & (m.gradient <= 0)
        left, a = np.where(up, middle, left), _choose(up, m, a)
        right, b = np.where(down, middle, right), _choose(down, m, b)
        open_ = open_ & ~done & (m.gradient != 0)
    return Lines(best, found.intercept, found.value)


def _choose(where: NDArray[np.bool_], one: Slack, other: Slack) -> Slack:
    return Slack(
        np.where(where, one.value, other.value),
        np.where(where, one.gradient, other.gradient),
        np.where(where, one.intercept, other.intercept),
    )


def slope_range(problem: Problem, lines: Lines, steepest: float) -> tuple[Floats, Floats]:
    """Least and greatest slope of each row, [rows], at which there is some slack left; the best
    line's where it has none itself."""
    wanted = np.minimum(lines.slack * 1e-3, 1e-9)
    fine = lines.slack > 0
    ends = []
    for start in (np.zeros(len(lines.slope)), np.full(len(lines.slope), steepest)):
        q = np.where(fine, start, lines.slope)
        for _ in range(ROUNDS):
            here = problem.slack(q)
            short = fine & (here.value < wanted) & (here.gradient != 0)
            if not short.any():
                break
            step = np.where(short, (wanted - here.value) / np.where(short, here.gradient, 1), 0)
            moved = q + step
            if np.array_equal(moved, q):
                break
            q = moved
        ends.append(q)
    return np.minimum(ends[0], lines.slope), np.maximum(ends[1], lines.slope)
