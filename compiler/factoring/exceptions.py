# SPDX-License-Identifier: Apache-2.0
"""Where an affine map and common thresholds give another code than the table."""

from __future__ import annotations

import numpy as np

from qnnc.compiler.factoring.fixed_point import Fixed
from qnnc.compiler.factoring.staircase import Staircase
from qnnc.compiler.ir.facts import IntArray


def induced_steps(stairs: Staircase, fixed: Fixed) -> IntArray:
    """[rows, targets]: the first y at which u reaches each target, within low..high + 1."""
    slope = fixed.slope[:, None]
    distance = fixed.targets - fixed.intercept[:, None]
    rising = -(-distance // np.maximum(slope, 1))
    flat = np.where(distance <= 0, stairs.low[:, None], stairs.high[:, None] + 1)
    steps = np.where(slope > 0, rising, flat)
    return np.asarray(np.clip(steps, stairs.low[:, None], stairs.high[:, None] + 1))


def exceptions(stairs: Staircase, fixed: Fixed, most: int) -> IntArray | None:
    """Every input of every row at which the table's code is another: [n, 3] of row, x and what
    the table's code is more; None if there are more than `most`.

    Both functions are constant between their steps, so that comparing them once between any two
    steps compares them for every input.
    """
    steps = induced_steps(stairs, fixed)
    found: list[IntArray] = []
    count = 0
    for row in np.flatnonzero(_may_differ(stairs, steps)):
        sign = int(stairs.sign[row])
        ends = sorted((sign * int(stairs.low[row]), sign * int(stairs.high[row])))
        moves = steps[row] if sign > 0 else 1 - steps[row]
        starts = np.concatenate([[ends[0]], stairs.places[row], moves])
        starts = np.unique(starts[(starts >= ends[0]) & (starts <= ends[1])])
        table = stairs.values[row, np.searchsorted(stairs.places[row], starts, "right")]
        codes = stairs.base + np.searchsorted(steps[row], sign * starts, "right")
        differs = np.flatnonzero(table != codes)
        if not differs.size:
            continue
        lengths = np.diff(np.append(starts, ends[1] + 1))[differs]
        count += int(lengths.sum())
        if count > most:
            return None
        for at, length in zip(differs, lengths, strict=True):
            x = starts[at] + np.arange(length)
            delta = np.full(length, table[at] - codes[at])
            found.append(np.stack([np.full(length, row), x, delta], axis=1))
    return np.concatenate(found) if found else np.zeros((0, 3), dtype=np.int64)


def _may_differ(stairs: Staircase, steps: IntArray) -> IntArray:
    """Rows to look at closely: those whose steps are not the table's, and all those whose table
    has values and so may turn round."""
    places = stairs.places.shape[1]
    counted = stairs.values[:, -1] - stairs.values[:, 0] == places
    plain = counted & np.all(np.diff(stairs.values, axis=1) == 1, axis=1)
    return np.asarray(~(plain & np.all(steps == stairs.steps, axis=1)))
