# SPDX-License-Identifier: Apache-2.0
"""From the steps of a tail to a table of thresholds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qnnc.compiler.errors import Unsupported
from qnnc.compiler.ir.edit import shape_of
from qnnc.compiler.ir.facts import IntArray
from qnnc.compiler.ir.operators.multi_threshold import Table
from qnnc.compiler.tails.collect import Place, Tail
from qnnc.compiler.tails.evaluator import Steps

MOST_RISES = 4096
"""Thresholds of a channel, each of which adds one to the code."""


class SeveralAxes(Unsupported):
    """Steps are not the same along all axes but one."""


def falling_channels(steps: Steps) -> NDArray[np.bool_]:
    """[channels]: those whose code falls further than it rises."""
    moved: list[NDArray[np.int64]] = [
        np.diff(np.concatenate([[first], to])).astype(np.int64)
        for first, to in zip(steps.first, steps.to, strict=True)
    ]
    return np.array([bool(m.sum() < 0 and -m[m < 0].sum() > 2 * m[m > 0].sum()) for m in moved])


def is_rising(steps: Steps) -> bool:
    """No channel's code ever falls."""
    return all(
        bool(np.all(np.diff(np.concatenate([[first], to])).astype(np.int64) > 0))
        for first, to in zip(steps.first, steps.to, strict=True)
    )


def keeps_direction(steps: Steps) -> bool:
    """No channel's code both rises and falls."""
    moves = [
        np.diff(np.concatenate([[first], to])).astype(np.int64)
        for first, to in zip(steps.first, steps.to, strict=True)
    ]
    return all(bool(np.all(m > 0) or np.all(m < 0)) for m in moves)


def along_one_axis(steps: Steps, shape: tuple[int, ...]) -> tuple[Steps, int]:
    """Steps of every element of a tensor [shape] as those of every place along one axis of it,
    and that axis, negative.

    Raises:
        SeveralAxes: they differ along several axes.
    """
    numbers = _kinds(steps).reshape(shape)
    for axis, size in enumerate(shape):
        first = np.moveaxis(numbers, axis, 0).reshape(size, -1)
        if np.all(first == first[:, :1]):
            of_each = np.arange(numbers.size).reshape(shape)
            chosen = np.moveaxis(of_each, axis, 0).reshape(size, -1)[:, 0]
            return _chosen(steps, chosen), axis - len(shape)
    raise SeveralAxes("its parameters differ along several axes")


def everywhere(steps: Steps, tail: Tail) -> Steps:
    """Steps along some axes of a tensor as those of each of its elements."""
    shape = shape_of(tail.codes if tail.place is Place.AFTER else tail.anchor)
    rank = len(shape)
    dims = [size if axis - rank in tail.axes else 1 for axis, size in enumerate(shape)][1:]
    numbers = np.arange(len(steps.at), dtype=np.int64).reshape(dims)
    return _chosen(steps, np.broadcast_to(numbers, shape[1:]).ravel())


def _kinds(steps: Steps) -> IntArray:
    """A number for each channel, equal for equal steps."""
    known: dict[bytes, int] = {}
    kinds = np.empty(len(steps.at), dtype=np.int64)
    for c in range(len(steps.at)):
        parts = [steps.low[c : c + 1], steps.high[c : c + 1], steps.first[c : c + 1]]
        key = np.concatenate([*parts, steps.at[c], steps.to[c]]).tobytes()
        kinds[c] = known.setdefault(key, len(known))
    return kinds


def _chosen(steps: Steps, channels: IntArray) -> Steps:
    return Steps(
        steps.low[channels],
        steps.high[channels],
        steps.first[channels],
        tuple(steps.at[c] for c in channels),
        tuple(steps.to[c] for c in channels),
    )


def mirrored(steps: Steps, channels: NDArray[np.bool_], about: int) -> Steps:
    """The same function of `about - x` instead of x, in the channels that flags [channels] name."""
    low, high, first = steps.low.copy(), steps.high.copy(), steps.first.copy()
    at, to = list(steps.at), list(steps.to)
    for c in np.flatnonzero(channels):
        low[c], high[c] = about - steps.high[c], about - steps.low[c]
        codes = np.concatenate([[steps.first[c]], steps.to[c]])
        # a change to code k at x is, seen from above, a change away from it at about - x + 1
        at[c] = (about - steps.at[c] + 1)[::-1]
        first[c], to[c] = codes[-1], codes[:-1][::-1]
    return Steps(low, high, first, tuple(at), tuple(to))


def make_table(steps: Steps, axis: int) -> Table:
    """Thresholds for a rising function, or thresholds with values for any other, and for one that
    jumps over many codes: a threshold for each of those would be as many as a wide quantizer has
    codes."""
    codes = [np.concatenate([[f], t]) for f, t in zip(steps.first, steps.to, strict=True)]
    base = min(int(c.min()) for c in codes)
    top = max(base + 1, *(int(c.max()) for c in codes))
    if is_rising(steps) and top - base <= MOST_RISES:
        thresholds = np.stack([_rising_row(steps, c, base, top) for c in range(len(codes))])
        return _merged(Table(thresholds, base, None, axis))
    width = max(1, *(places.size for places in steps.at))
    rows = np.empty((len(codes), width), dtype=np.int64)
    values = np.empty((len(codes), width + 1), dtype=np.int64)
    for c, places in enumerate(steps.at):
        rows[c] = steps.high[c] + 1
        rows[c, : places.size] = places
        values[c] = codes[c][-1]
        values[c, : codes[c].size] = codes[c]
    return _merged(Table(rows, base, values, axis))


def _rising_row(steps: Steps, channel: int, base: int, top: int) -> IntArray:
    """Threshold i is the first integer whose code is at least base + 1 + i."""
    row = np.full(top - base, steps.high[channel] + 1, dtype=np.int64)
    row[: steps.first[channel] - base] = steps.low[channel]
    reached = int(steps.first[channel]) - base
    for place, code in zip(steps.at[channel], steps.to[channel], strict=True):
        row[reached : code - base] = place
        reached = int(code) - base
    return row


def _merged(table: Table) -> Table:
    """One row where all channels have the same."""
    same = bool(np.all(table.thresholds == table.thresholds[:1])) and (
        table.values is None or bool(np.all(table.values == table.values[:1]))
    )
    if not same:
        return table
    values = None if table.values is None else table.values[:1]
    return Table(table.thresholds[:1], table.base, values, table.axis)
