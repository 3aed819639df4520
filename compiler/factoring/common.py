# SPDX-License-Identifier: Apache-2.0
"""The thresholds that all rows of a table share, as real numbers, from the table alone.

Each row sees the common thresholds T_i through its own grid: steps[r, i] = ceil((T_i - p) / q).
Least squares over rows and steps in turn find T to a fraction of a grid step; from there on, lines
of the most slack for given T, and T in the middle of what the lines leave, in turn.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qnnc.compiler.factoring.line import Bounds, Floats, Lines, Problem, best_lines
from qnnc.compiler.factoring.staircase import Staircase

SQUARES_ROUNDS = 24
OUTLIER = 0.8
"""Distance from a fitted line, in inputs, from which a step is left out of the fit: half an input
is the grid's own."""
ALIEN = 0.3
"""Share of the steps more than an input off their row's line, from which rows have no function in
common."""
PATIENCE = 5
"""Rounds in which every step is held to count, before outliers are left out."""
TOLERANCE = 0.02
"""What rounding in the golden graph may add to half an input before a step counts as an outlier."""


def least_squares(stairs: Staircase) -> Floats | None:
    """A first estimate of T [steps], in inputs of a typical row; None where too few rows have two
    steps to tell."""
    inside = (stairs.steps > stairs.low[:, None]) & (stairs.steps <= stairs.high[:, None])
    places: Floats = np.asarray(stairs.steps - 0.5, dtype=np.float64)
    spread = np.where(inside, places, -np.inf).max(axis=1) - np.where(inside, places, np.inf).min(
        axis=1
    )
    useful = inside.sum(axis=1) + spread / (1 + np.nanmax(np.where(spread > 0, spread, 0)))
    useful = np.where(spread > 0, useful, -1)
    start = int(useful.argmax())
    if useful[start] < 0:
        return None
    known = inside[start].copy()
    targets = np.where(known, places[start], 0.0)
    targets = (targets - places[start][known].mean()) / spread[start]
    weights = inside.astype(float)
    slope, fitted = np.zeros(len(places)), np.zeros(len(places), dtype=bool)
    for _ in range(SQUARES_ROUNDS + int(known.size - known.sum() > 0) * SQUARES_ROUNDS):
        slope, offset, fitted = _fit_rows(places, weights * known, targets)
        counted = weights * fitted[:, None]
        total = (counted * slope[:, None] ** 2).sum(axis=0)
        sums = (counted * (places - offset[:, None]) * slope[:, None]).sum(axis=0)
        targets = np.where(total > 0, sums / np.where(total > 0, total, 1), targets)
        known = known | (total > 0)
        residual = np.abs(places - slope[:, None] * targets - offset[:, None])
        weights = (inside & ((residual < OUTLIER) | ~fitted[:, None])).astype(float)
    if not fitted.any():
        return None
    targets = targets * np.median(slope[fitted])
    return _filled(targets, known)


def _fit_rows(
    places: Floats, weights: Floats, targets: Floats
) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """places = slope * T + offset for each row; the rows in which T varies are fitted."""
    total = np.maximum(weights.sum(axis=1), 1e-300)
    mean_t = weights @ targets / total
    mean_y = (weights * places).sum(axis=1) / total
    deviation = weights * (targets - mean_t[:, None])
    variance = (deviation * (targets - mean_t[:, None])).sum(axis=1)
    fitted = (variance > 1e-12 * np.abs(targets).max() ** 2) & (total >= 2)
    slope = (deviation * (places - mean_y[:, None])).sum(axis=1) / np.where(fitted, variance, 1)
    fitted &= slope > 0
    slope = np.where(fitted, slope, 0.0)
    return slope, mean_y - slope * mean_t, fitted


def _filled(targets: Floats, known: NDArray[np.bool_]) -> Floats:
    """Unknown thresholds between their neighbours, all ascending."""
    index = np.arange(known.size)
    filled = np.interp(index, index[known], targets[known])
    return np.asarray(np.maximum.accumulate(filled))


def spaced_otherwise(stairs: Staircase, targets: Floats) -> float:
    """Share of the steps that lie more than an input from their row's line through T [steps]."""
    inside = (stairs.steps > stairs.low[:, None]) & (stairs.steps <= stairs.high[:, None])
    slope, offset, _ = _fit_rows(
        np.asarray(stairs.steps - 0.5, dtype=np.float64), inside.astype(float), targets
    )
    residual = np.abs(stairs.steps - 0.5 - slope[:, None] * targets - offset[:, None])
    return float((inside & (residual > 1)).sum() / inside.sum())


def outlier_steps(stairs: Staircase, targets: Floats) -> NDArray[np.bool_]:
    """Steps [rows, steps] that lie further from their row's line than the grid explains, in rows
    where most do not."""
    inside = (stairs.steps > stairs.low[:, None]) & (stairs.steps <= stairs.high[:, None])
    places: Floats = np.asarray(stairs.steps - 0.5, dtype=np.float64)
    residual, fitted = np.zeros(places.shape), np.zeros(len(places), dtype=bool)
    weights = inside.astype(float)
    for _ in range(3):
        slope, offset, fitted = _fit_rows(places, weights, targets)
        residual = np.abs(places - slope[:, None] * targets - offset[:, None])
        weights = (inside & (residual < OUTLIER)).astype(float)
    found = inside & fitted[:, None] & (residual > 0.5 + TOLERANCE)
    most = 2 * found.sum(axis=1) > inside.sum(axis=1)
    return np.asarray(found & ~most[:, None])


def settle(bounds: Bounds, lines: Lines, targets: Floats) -> tuple[Floats, int]:
    """T [steps], each in the middle of what the lines leave for it, and the number of steps of rows
    that no such T satisfies."""
    low = np.where(bounds.has_below, lines.at(bounds.below), -np.inf)
    high = np.where(bounds.has_above, lines.at(bounds.above), np.inf)
    floor, ceiling = low.max(axis=0), high.min(axis=0)
    free = np.isfinite(floor) & np.isfinite(ceiling)
    middle = np.where(free, (np.where(free, floor, 0) + np.where(free, ceiling, 0)) / 2, targets)
    torn = np.flatnonzero(free & (floor >= ceiling))
    missed = 0
    if torn.size:
        middle[torn], covered = _most_covered(low[:, torn], high[:, torn])
        missed = int((len(low) - covered).sum())
    return np.asarray(np.maximum.accumulate(middle)), missed


def _most_covered(low: Floats, high: Floats) -> tuple[Floats, NDArray[np.int64]]:
    """The point of each column that lies in the most of its intervals low..high, and in how
    many."""
    ends = np.concatenate([low, high])
    gain = np.concatenate([np.ones(low.shape), -np.ones(high.shape)])
    order = ends.argsort(axis=0, kind="stable")
    ends = np.take_along_axis(ends, order, axis=0)
    cover = np.take_along_axis(gain, order, axis=0).cumsum(axis=0)
    cover = np.where(np.isfinite(ends), cover, -np.inf)
    best = cover.argmax(axis=0)
    column = np.arange(low.shape[1])
    left, right = ends[best, column], ends[np.minimum(best + 1, len(ends) - 1), column]
    point = np.where(np.isfinite(right), (left + right) / 2, left)
    return point, cover[best, column].astype(np.int64)


def steepest_slope(targets: Floats) -> float:
    """A slope that no row needs to exceed, for T [steps]: one input then passes the largest gap
    between thresholds that any row passes at once, and some more."""
    span = float(targets[-1] - targets[0]) + 1.0
    return 2.0 * span


def common_thresholds(
    stairs: Staircase, bounds: Bounds, rounds: int
) -> tuple[Floats, NDArray[np.bool_]] | None:
    """Thresholds T [steps] that leave the rows as much slack as can be, and the steps of rows
    that were ignored for it; None where the rows have too little in common."""
    targets = least_squares(stairs)
    if targets is None:
        return None
    if spaced_otherwise(stairs, targets) > ALIEN:
        return None
    none = np.zeros(stairs.steps.shape, dtype=bool)
    ignored = none
    best, best_slack, best_ignored = targets, -np.inf, none
    fewest = stairs.steps.size
    for attempt in range(rounds):
        problem = Problem(bounds.without(ignored), targets)
        lines = best_lines(problem, steepest_slope(targets))
        worst = float(lines.slack.min())
        if worst > best_slack or (ignored.any() and not best_ignored.any()):
            gained = worst - best_slack
            best, best_slack, best_ignored = targets, worst, ignored
            if worst > 0 and gained < 0.02 * worst:
                break
        targets, missed = settle(bounds, lines, targets)
        if missed and attempt >= PATIENCE:
            if ignored.any() and missed > 0.995 * fewest:
                break
            ignored = outlier_steps(stairs, targets)
        fewest = missed
    return best, best_ignored
