# SPDX-License-Identifier: Apache-2.0
"""Where a tail's code changes, by bisection of its pieces.

A range is cut where the tail turns round, and where a table that it goes through takes a step, so
that it rises or falls all along each piece.
Two things are proved there by single evaluations. Comparisons, sums, products and the like never
go back, not even by rounding. A library's tanh may go back by its last bits; but from an integer
on at which a code is reached though tanh were off by twice its error, that code is reached at all
further ones. The integers between those two certainties are evaluated one by one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from qnnc.compiler.errors import Unsupported
from qnnc.compiler.ir.facts import IntArray
from qnnc.compiler.ir.operators.multi_threshold import table_of
from qnnc.compiler.tails.curves import Curve
from qnnc.compiler.tails.evaluator import CHUNK, Evaluator, Steps

MOST_PIECES = 64
MOST_STEPS = 1024
"""Thresholds of the tables that a tail goes through, counted for one channel."""
MOST_ROUNDED = 4
"""Functions of a library that one tail may have."""
HALVINGS = 64
"""No range of integers has more."""


@dataclass(frozen=True)
class Pieces:
    """Ranges in which a tail does not turn round; a range whose low is above its high is empty.

    Attributes:
        low: [pieces, channels], ascending along the pieces.
        high: [pieces, channels].
        sign: [pieces, channels], 1 where the code rises and -1 where it falls.
    """

    low: IntArray
    high: IntArray
    sign: IntArray


def check_steps(steps: int, most: int) -> None:
    """Raise Unsupported for more thresholds than a table may have."""
    if steps > most:
        raise Unsupported(
            f"it needs {steps} thresholds per channel, {most} are the most; quantize to "
            f"{most.bit_length() - 1} bits or fewer"
        )


def bisected(evaluator: Evaluator, max_elements: int, max_steps: int) -> Steps:
    """Where the code changes.

    Raises:
        Unsupported: the tail turns round where nobody knows, has too many steps, or too many
            integers at which rounding decides.
    """
    pieces = _pieces(evaluator)
    wanted = _wanted(evaluator, pieces, max_steps)
    first = _first_reached(evaluator, pieces, wanted)
    below, above = _certain(evaluator, pieces, wanted, first)
    return _read_off(evaluator, pieces, below, above, max_elements)


def _pieces(evaluator: Evaluator) -> Pieces:
    """The range of each channel, cut where the tail turns round."""
    tail = evaluator.tail
    span = int((evaluator.high - evaluator.low).max()) + 1
    large = (
        f"its range of {span} integers is too large to evaluate throughout; quantize its input to "
        "fewer bits"
    )
    if tail.curves is None:
        raise Unsupported(f"it is not known to be monotone, and {large}")
    if sum(c is not None and c.rounded > 0 for c in tail.curves) > MOST_ROUNDED:
        raise Unsupported(
            f"it has more than {MOST_ROUNDED} functions that are rounded, and {large}"
        )
    pieces = _between_steps(evaluator, large)
    rounded = False
    for node, found in zip(tail.nodes, tail.curves, strict=True):
        if found is None:
            continue
        signs = [evaluator.by_channel(sign) for sign in found.signs]
        if found.reads is not None:
            evaluator.measure(node, found.reads, np.concatenate([pieces.low, pieces.high]))
        if not found.cuts:
            pieces = Pieces(pieces.low, pieces.high, pieces.sign * signs[0])
        elif rounded or 2 * len(pieces.low) > MOST_PIECES:
            raise Unsupported(f"it turns round after another function, and {large}")
        else:
            pieces = _cut(evaluator, pieces, node, found, signs)
        rounded = rounded or found.rounded > 0
    return pieces


def _between_steps(evaluator: Evaluator, large: str) -> Pieces:
    """The range of each channel, cut at the thresholds of the tables that the tail goes through."""
    tables = [table_of(node) for node in evaluator.tail.tables]
    steps = sum(table.thresholds.shape[1] for table in tables)
    if steps >= MOST_STEPS:
        raise Unsupported(f"it goes through tables of {steps} thresholds, and {large}")
    starts = [evaluator.low[None]]
    for table in tables:
        own = table.thresholds.T
        if own.shape[1] > 1 and own.shape[1] != evaluator.channels:
            raise Unsupported(f"it goes through a table of other channels, and {large}")
        starts.append(np.broadcast_to(own, (len(own), evaluator.channels)))
    low = np.sort(np.clip(np.concatenate(starts), evaluator.low, evaluator.high + 1), axis=0)
    high = np.concatenate([low[1:] - 1, evaluator.high[None]])
    return Pieces(low, high, np.ones_like(low))


def _cut(
    evaluator: Evaluator, pieces: Pieces, node: ir.Node, found: Curve, signs: list[IntArray]
) -> Pieces:
    """Pieces halved where the operator's input passes its turning point."""
    (cut,) = found.cuts
    rising = pieces.sign > 0

    def past(x: IntArray) -> NDArray[np.bool_]:
        values = evaluator.values(found.reads or _read(node), x)
        if np.any(np.isnan(values)):
            raise Unsupported("it gives values that are not numbers")
        passed: NDArray[np.bool_] = values > cut if found.after else values >= cut
        return np.equal(passed, rising)

    left, right = pieces.low.copy(), pieces.high + 1
    right = np.maximum(left, right)
    for _ in range(HALVINGS):
        active = left < right
        if not active.any():
            break
        middle = (left + right) // 2
        passed = past(np.clip(middle, evaluator.low, evaluator.high))
        right = np.where(active & passed, middle, right)
        left = np.where(active & ~passed, middle + 1, left)
    # what comes first is the lower part of the operator's input, or the upper if that falls
    before = pieces.sign * np.where(rising, signs[0], signs[1])
    after = pieces.sign * np.where(rising, signs[1], signs[0])
    count, channels = pieces.low.shape

    def interleaved(one: IntArray, two: IntArray) -> IntArray:
        return np.stack([one, two], axis=1).reshape(2 * count, channels)

    return Pieces(
        interleaved(pieces.low, left),
        interleaved(left - 1, pieces.high),
        interleaved(before, after),
    )


def _read(node: ir.Node) -> ir.Value:
    """The computed tensor that an operator reads."""
    return next(v for v in node.inputs if v is not None and v.const_value is None)


def _levels(evaluator: Evaluator, pieces: Pieces, x: IntArray) -> tuple[IntArray, IntArray]:
    """The least and greatest that codes could be at x [n, pieces, channels]; counted upwards where
    the code falls."""
    flat = np.clip(x, evaluator.low, evaluator.high).reshape(-1, x.shape[-1])
    least, greatest = (codes.reshape(x.shape) for codes in evaluator.ends(flat))
    falling = pieces.sign < 0
    return np.where(falling, -greatest, least), np.where(falling, -least, greatest)


def _wanted(evaluator: Evaluator, pieces: Pieces, max_steps: int) -> IntArray:
    """Levels that may be reached within each piece, [levels, pieces, channels]."""
    empty = pieces.low > pieces.high
    start, end = _levels(evaluator, pieces, np.stack([pieces.low, pieces.high]))
    start, end = start[0], end[1]
    count = np.where(empty, 0, end - start)
    check_steps(int(count.max()), max_steps + 2)  # rounding may add one at either end
    steps = np.arange(1, max(0, int(count.max())) + 1)[:, None, None]
    wanted: IntArray = start + steps
    return wanted


def _first_reached(evaluator: Evaluator, pieces: Pieces, wanted: IntArray) -> IntArray:
    """The first integer at which each level is reached, one above the piece for those that are
    not."""
    left = np.broadcast_to(pieces.low, wanted.shape).copy()
    right = np.maximum(left, np.broadcast_to(pieces.high + 1, wanted.shape))
    for _ in range(HALVINGS):
        active = left < right
        if not active.any():
            break
        middle = (left + right) // 2
        flat = np.clip(middle, evaluator.low, evaluator.high).reshape(-1, evaluator.channels)
        reached = evaluator.run(flat).reshape(wanted.shape) * pieces.sign >= wanted
        right = np.where(active & reached, middle, right)
        left = np.where(active & ~reached, middle + 1, left)
    return left


def _certain(
    evaluator: Evaluator, pieces: Pieces, wanted: IntArray, first: IntArray
) -> tuple[IntArray, IntArray]:
    """For each level an integer up to which it is certainly not reached, and one from which on it
    is; one outside the piece where there is none."""
    below, above = first - 1, first.copy()
    if not any(c is not None and c.rounded for c in evaluator.tail.curves or ()):
        return below, above
    for _ in range(HALVINGS):
        x = np.clip(above, pieces.low, np.maximum(pieces.low, pieces.high))
        open_ = (_levels(evaluator, pieces, x)[0] < wanted) & (above <= pieces.high)
        if not open_.any():
            break
        above = np.where(open_, np.minimum(2 * above - first + 1, pieces.high + 1), above)
    for _ in range(HALVINGS):
        x = np.clip(below, pieces.low, np.maximum(pieces.low, pieces.high))
        open_ = (_levels(evaluator, pieces, x)[1] >= wanted) & (below >= pieces.low)
        if not open_.any():
            break
        below = np.where(open_, np.maximum(2 * below - first, pieces.low - 1), below)
    return below, above


def _read_off(
    evaluator: Evaluator, pieces: Pieces, below: IntArray, above: IntArray, max_elements: int
) -> Steps:
    """Codes at all integers that may be steps; between those the code stands still."""
    stretches = [
        _stretches(pieces, below[:, :, c], above[:, :, c], c) for c in range(evaluator.channels)
    ]
    most = max(int(lengths.sum()) for _, lengths in stretches)
    if most * evaluator.channels > max(max_elements, 1 << 20):  # before they are written out
        raise Unsupported(
            "rounding decides at too many integers of its range; quantize its input to fewer bits"
        )
    points = [_points(pieces, *own, c) for c, own in enumerate(stretches)]
    rows = max(p.size for p in points)
    at: list[list[IntArray]] = [[] for _ in points]
    to: list[list[IntArray]] = [[] for _ in points]
    first = before = np.zeros(evaluator.channels, dtype=np.int64)
    size = max(1, CHUNK // evaluator.channels)
    for start in range(0, rows, size):  # all at once would be the most memory of a build
        x = np.repeat(evaluator.low[None], min(size, rows - start), axis=0)
        parts = [own[start : start + size] for own in points]
        for c, own in enumerate(parts):
            x[: own.size, c] = own
        codes = evaluator.run(x)
        if start == 0:
            first, before = codes[0], codes[0].copy()
        for c, own in enumerate(parts):
            if own.size:
                column = codes[: own.size, c]
                moves = np.flatnonzero(np.diff(column, prepend=before[c]))
                at[c].append(own[moves])
                to[c].append(column[moves])
                before[c] = column[-1]
    return Steps(
        evaluator.low,
        evaluator.high,
        first,
        tuple(np.concatenate(steps) for steps in at),
        tuple(np.concatenate(reached) for reached in to),
    )


def _stretches(
    pieces: Pieces, below: IntArray, above: IntArray, channel: int
) -> tuple[IntArray, IntArray]:
    """Runs of integers of a channel to be looked at one by one, ascending, none twice: what lies
    above `below` up to `above` [levels, pieces], within each piece.

    Returns:
        Where each starts, and how many it has.
    """
    low, high = pieces.low[:, channel], pieces.high[:, channel]
    starts, ends = np.maximum(below + 1, low), np.minimum(above, high)
    kept = (starts <= ends) & (low <= high)
    starts, ends = starts[kept], ends[kept]
    if not starts.size:
        return starts, starts
    order = np.argsort(starts, kind="stable")
    starts, reach = starts[order], np.maximum.accumulate(ends[order])
    starts[1:] = np.maximum(starts[1:], reach[:-1] + 1)
    return starts, np.maximum(reach - starts + 1, 0)


def _points(pieces: Pieces, starts: IntArray, lengths: IntArray, channel: int) -> IntArray:
    """The integers of some stretches, and the first of each piece, ascending."""
    low, high = pieces.low[:, channel], pieces.high[:, channel]
    total = int(lengths.sum())
    offsets = np.arange(total) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    within = np.repeat(starts, lengths) + offsets
    first = np.unique(low[low <= high])
    place = np.searchsorted(within, first)  # sorting millions again would take far longer
    there = within[np.minimum(place, total - 1)] == first if total else np.zeros(first.shape, bool)
    return np.insert(within, place[~there], first[~there])
