# SPDX-License-Identifier: Apache-2.0
"""From a threshold table to an affine map per channel and common thresholds, in integers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from qnnc.compiler.factoring.common import (
    common_thresholds,
    outlier_steps,
    spaced_otherwise,
    steepest_slope,
)
from qnnc.compiler.factoring.exceptions import exceptions
from qnnc.compiler.factoring.fixed_point import (
    Fixed,
    fit_closely,
    fit_exactly,
    meet_more,
    trailing_zeros,
)
from qnnc.compiler.factoring.line import (
    Bounds,
    Floats,
    Lines,
    Problem,
    best_lines,
    slope_range,
)
from qnnc.compiler.factoring.staircase import Staircase, staircase
from qnnc.compiler.ir.facts import IntArray

MAX_FRACTION = 58
MAX_SLOPE_BITS = 34
MAX_BITS = 60
"""Bits of a * x + b that the arithmetic here and the hardware are made for."""
ROUNDS = 12
"""Times that common thresholds and lines are fitted in turn."""
TIE = 1e-6
"""Slack, in inputs, that is none."""
GUARD = 7
"""Bits that an intercept has more than the thresholds it is compared with."""
EXCEPTION_LUTS = 1.0
"""About what an exception costs."""
MAX_SHARE = 0.06
"""Exceptions, as a share of all steps, from which a table is not factored."""


class Unfactorable(Exception):
    """A table has no such form; the text says why."""


@dataclass(frozen=True, eq=False)
class Factored:
    """code = base + (number of thresholds that z reaches) + exception, z = (a * x + b) >> shift.

    With evenly spaced thresholds (`requant`) the number needs no search: code is z itself, held
    within low_code..high_code. Rows are channels, or one for all.

    Attributes:
        style: "factored" or "requant".
        slope: a, [rows], of either sign.
        intercept: b, [rows].
        shift: bits of a * x + b that are dropped.
        even: (requant) where the bits dropped are zero, an odd code becomes the even one below:
            ties are rounded to even.
        thresholds: [steps], ascending, the least of them 1; empty for requant.
        low_code: least code.
        high_code: greatest code.
        z_low: least z over all rows' ranges.
        z_high: greatest z.
        exceptions: [n, 3]: row, x, what is added to the code there.
    """

    style: Literal["factored", "requant"]
    slope: IntArray
    intercept: IntArray
    shift: int
    even: bool
    thresholds: IntArray
    low_code: int
    high_code: int
    z_low: int
    z_high: int
    exceptions: IntArray

    @property
    def rows(self) -> int:
        """Rows of parameters: channels, or 1."""
        return len(self.slope)

    @cached_property
    def intercept_zeros(self) -> int:
        """Zero bits at the end of every intercept, which need not be stored."""
        return trailing_zeros(self.intercept)

    def codes(self, row: IntArray, x: IntArray) -> IntArray:
        """Codes for inputs x of rows `row`, both [n]."""
        full = self.slope[row] * x + self.intercept[row]
        z = full >> self.shift
        if self.style == "requant":
            if self.even:
                z = np.where(full & ((1 << self.shift) - 1) == 0, z & ~np.int64(1), z)
            codes = np.clip(z, self.low_code, self.high_code)
        else:
            codes = self.low_code + np.searchsorted(self.thresholds, z, "right")
        patches = {(int(r), int(v)): int(d) for r, v, d in self.exceptions}
        if patches:
            pairs = zip(row.tolist(), x.tolist(), strict=True)
            codes = codes + np.array([patches.get(pair, 0) for pair in pairs], dtype=np.int64)
        return np.asarray(codes)


def factor(
    thresholds: IntArray, values: IntArray | None, base: int, low: IntArray, high: IntArray
) -> Factored:
    """Factor a table of thresholds [rows, n]; arguments as for `staircase`.

    The result gives the table's code for every x in low..high of every row.

    Raises:
        Unfactorable: there is no common function, or none that is worth it.
    """
    stairs = staircase(thresholds, values, base, low, high)
    inside = (stairs.steps > stairs.low[:, None]) & (stairs.steps <= stairs.high[:, None])
    moving = np.asarray(inside.any(axis=1))
    if not moving.any():
        raise Unfactorable("every channel is constant")
    active = stairs.only(moving)
    bounds = Bounds.of(active)
    fixed, even = _evenly_spaced(active, bounds)
    shift, search = 0, np.zeros(0, dtype=np.int64)
    if fixed is not None:
        shift = fixed.fraction
    elif stairs.rows == 1:
        raise Unfactorable("its thresholds are not evenly spaced")
    else:
        fixed, grid = _common(active, bounds)
        shift = fixed.fraction - grid
        search = fixed.targets >> shift
    fixed = _with_constant_rows(stairs, fixed, moving)
    most = int(MAX_SHARE * stairs.steps.size)
    patches = exceptions(stairs, fixed, most)
    if patches is None:
        raise Unfactorable(f"its channels have no function in common: over {most} exceptions")
    return _assemble(stairs, fixed, search, shift, even, patches)


def _evenly_spaced(stairs: Staircase, bounds: Bounds) -> tuple[Fixed | None, bool]:
    """Lines for thresholds one apart, so that u is the code itself; and whether ties go to even."""
    codes = stairs.base + 1 + np.arange(stairs.steps.shape[1])
    targets = codes.astype(float)
    if spaced_otherwise(stairs, targets) > MAX_SHARE:
        return None, False
    problem = Problem(bounds, targets)
    steepest = steepest_slope(targets)
    lines = best_lines(problem, steepest)
    worst = float(lines.slack.min())
    if worst > 0:
        slopes = (lines.slope, *slope_range(problem, lines, steepest))
        for fraction in _fractions(slopes[1], 0):
            fixed = fit_exactly(bounds, codes << fraction, fraction, slopes)
            if fixed is not None:
                return fixed, False
        return None, False
    if np.all(lines.slack > -TIE * lines.slope):
        fixed = _with_ties(bounds, codes, steepest)
        if fixed is not None:
            return fixed, True
    outliers = outlier_steps(stairs, targets)
    lines = best_lines(Problem(bounds.without(outliers), targets), steepest)
    fine = _fine_fraction(bounds, lines)
    zeros = max(0, fine - _places(_typical(lines)) - GUARD)
    trials = [
        fit_closely(bounds, codes << f, f, lines, max(0, zeros + f - fine))
        for f in (fine - 4, fine - 2, fine)
        if 0 <= f <= MAX_FRACTION and _fits(lines.slope, f)
    ]
    best = min(trials, key=lambda fixed: _burden(stairs, fixed, 0), default=None)
    if best is None or best.missed > MAX_SHARE * stairs.steps.size:
        return None, False
    return meet_more(bounds, best), False


def _with_ties(bounds: Bounds, codes: IntArray, steepest: float) -> Fixed | None:
    """Lines that meet codes exactly halfway, where the golden graph rounds to even: an odd code
    is reached just above, not at, what is halfway."""
    for fraction in range(1, MAX_FRACTION):
        exactly = (codes << fraction) + (codes & 1)
        problem = Problem(bounds, np.asarray(exactly * 2.0**-fraction, dtype=np.float64))
        lines = best_lines(problem, steepest)
        if lines.slack.min() <= 0:
            continue
        slopes = (lines.slope, *slope_range(problem, lines, steepest))
        fixed = fit_exactly(bounds, exactly, fraction, slopes)
        if fixed is not None:
            return fixed
    return None


def _common(stairs: Staircase, bounds: Bounds) -> tuple[Fixed, int]:
    """Lines for thresholds found from the table, and how many bits those have after the point.

    Args:
        stairs: rows that move.
        bounds: theirs.
    """
    found = common_thresholds(stairs, bounds, ROUNDS)
    if found is None:
        raise Unfactorable("its channels have no function in common")
    targets, ignored = found
    lines = best_lines(Problem(bounds.without(ignored), targets), steepest_slope(targets))
    choices: list[tuple[Fixed, int]] = []
    if lines.slack.min() > 0 and not ignored.any():
        first = _places(float(lines.slack.min()))
        for grid in range(first - 2, first + 5):
            fixed = _on_grid(bounds, targets, grid)
            choices += [(fixed, grid)] if fixed is not None else []
            if len(choices) == 3:
                break
    if choices:
        return min(choices, key=lambda choice: _burden(stairs, *choice))
    first, fine = _places(_typical(lines)), _fine_fraction(bounds, lines)
    for grid in (first - 2, first, first + 2):
        for fraction in (fine - 4, fine - 2, fine):
            fixed = _near_grid(bounds, targets, ignored, grid, fraction)
            choices += [(fixed, grid)] if fixed is not None else []
    if not choices:
        raise Unfactorable("its sums take too wide a multiplier")
    fixed, grid = min(choices, key=lambda choice: _burden(stairs, *choice))
    return meet_more(bounds, fixed), grid


def _on_grid(bounds: Bounds, targets: Floats, grid: int) -> Fixed | None:
    """Lines that meet every step of thresholds rounded to `grid` bits."""
    rounded = _rounded(targets, grid)
    problem = Problem(bounds, np.asarray(rounded * 2.0**-grid, dtype=np.float64))
    steepest = steepest_slope(targets)
    lines = best_lines(problem, steepest)
    if lines.slack.min() <= 0:
        return None
    slopes = (lines.slope, *slope_range(problem, lines, steepest))
    for fraction in _fractions(slopes[1], max(grid, 0)):
        scaled = rounded << (fraction - grid)
        fixed = fit_exactly(bounds, scaled, fraction, slopes)
        if fixed is not None:
            return fixed
    return None


def _near_grid(
    bounds: Bounds, targets: Floats, ignored: NDArray[np.bool_], grid: int, fraction: int
) -> Fixed | None:
    """Lines that meet most steps of thresholds rounded to `grid` bits."""
    if not max(grid, 0) <= fraction <= MAX_FRACTION:
        return None
    rounded = _rounded(targets, grid)
    scaled = np.asarray(rounded * 2.0**-grid, dtype=np.float64)
    problem = Problem(bounds.without(ignored), scaled)
    lines = best_lines(problem, steepest_slope(targets))
    if not _fits(lines.slope, fraction):
        return None
    zeros = max(0, fraction - grid - GUARD)
    return fit_closely(bounds, rounded << (fraction - grid), fraction, lines, zeros)


def _rounded(targets: Floats, grid: int) -> IntArray:
    """Thresholds in units of 2**-grid, the least of them 1."""
    return np.asarray(np.rint((targets - targets[0]) * 2.0**grid), dtype=np.int64) + 1


def _places(slack: float) -> int:
    """Bits after the point at which rounding takes about half the slack."""
    return int(np.ceil(-np.log2(slack)))


def _typical(lines: Lines) -> float:
    """Slack of a typical row of those that have some."""
    good = lines.slack > 0
    return float(np.median(lines.slack[good])) if good.any() else 0.01


def _fine_fraction(bounds: Bounds, lines: Lines) -> int:
    """Bits after the point of slopes at which rounding them hardly adds to the steps missed."""
    span = float(np.abs(bounds.above).max()) + 1
    return max(0, int(np.ceil(np.log2(span / _typical(lines)))))


def _fractions(least: Floats, start: int) -> range:
    """Numbers of bits after the point to try."""
    fit = [f for f in range(start, MAX_FRACTION) if _fits(least, f)]
    return range(start, fit[-1] + 1 if fit else start)


def _fits(slopes: Floats, fraction: int) -> bool:
    return bool(np.ceil(slopes.max() * 2.0**fraction) < 2.0**MAX_SLOPE_BITS)


def _burden(stairs: Staircase, fixed: Fixed, grid: int) -> float:
    """About what lines and thresholds cost, in LUTs of one lane: every bit of a threshold is
    stored and compared in each stage of the search, every bit of a line stored for each row."""
    search = int(stairs.steps.shape[1]).bit_length()
    threshold = int(fixed.targets[-1] >> (fixed.fraction - grid)).bit_length()
    slope = int(fixed.slope.max()).bit_length()
    stored = slope + int(np.abs(fixed.intercept).max()).bit_length()
    stored -= trailing_zeros(fixed.intercept)
    width = int(max(np.abs(stairs.low).max(), np.abs(stairs.high).max())).bit_length() + 1
    blocks = 1 if max(slope, width) < 25 and min(slope, width) < 18 else 2
    lut = 1.5 * search * threshold + stored * stairs.rows / 64 + 240 * blocks
    return lut + EXCEPTION_LUTS * fixed.missed


def _with_constant_rows(stairs: Staircase, fixed: Fixed, moving: NDArray[np.bool_]) -> Fixed:
    """Lines of all rows: flat ones for the rows that never move."""
    slope = np.zeros(stairs.rows, dtype=np.int64)
    intercept = np.zeros(stairs.rows, dtype=np.int64)
    slope[moving], intercept[moving] = fixed.slope, fixed.intercept
    if not moving.all():
        still = ~moving
        margin = np.int64(1) << fixed.fraction
        ends = np.concatenate(
            [[fixed.targets[0] - margin], fixed.targets, [fixed.targets[-1] + margin]]
        )
        reached = (stairs.steps[still] <= stairs.low[still][:, None]).sum(axis=1)
        low, high = ends[reached], np.maximum(ends[reached], ends[reached + 1] - 1)
        zeros = trailing_zeros(fixed.intercept)
        rounded = -((-low) >> zeros) << zeros
        intercept[still] = np.where(rounded <= high, rounded, low)
    return replace(fixed, slope=slope, intercept=intercept)


def _assemble(
    stairs: Staircase, fixed: Fixed, thresholds: IntArray, shift: int, even: bool, patches: IntArray
) -> Factored:
    style: Literal["factored", "requant"] = "factored" if thresholds.size else "requant"
    ends = [fixed.slope * y + fixed.intercept for y in (stairs.low, stairs.high)]
    if max(int(np.abs(u).max()) for u in ends) >= 1 << MAX_BITS:
        raise Unfactorable("its sums are too wide for a multiplier")
    return Factored(
        style,
        stairs.sign * fixed.slope,
        fixed.intercept,
        shift,
        even,
        thresholds,
        stairs.base,
        stairs.base + stairs.steps.shape[1],
        int(ends[0].min()) >> shift,
        int(ends[1].max()) >> shift,
        patches,
    )
