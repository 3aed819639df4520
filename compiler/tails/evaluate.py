# SPDX-License-Identifier: Apache-2.0
"""Evaluating a tail in ONNX Runtime: at every integer of its range, or by bisection.

The tail's own operators run, in float32 and in the golden graph's order, so that thresholds are
exact by construction.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from qnnc.compiler.integer.form import Unsupported
from qnnc.compiler.ir.edit import attribute, shape_of
from qnnc.compiler.ir.facts import IntArray, as_integers, integer
from qnnc.compiler.reference import Session, expand
from qnnc.compiler.tails.collect import Place, Tail

CHUNK = 1 << 20
"""Elements evaluated in one run."""
SMALL = 1 << 16
"""Elements up to which one thread is enough."""
WINDOW = 32
"""Integers on each side of a bisected threshold that are checked one by one."""


@dataclass(frozen=True)
class Steps:
    """A tail as its range and where its code changes.

    Attributes:
        low: least integer of each channel, [channels].
        high: greatest integer of each channel, [channels].
        first: code at `low`, [channels].
        at: for each channel the integers at which the code changes, ascending.
        to: for each channel the code from there on.
        exhaustive: the tail was evaluated at every integer of the range.
    """

    low: IntArray
    high: IntArray
    first: IntArray
    at: tuple[IntArray, ...]
    to: tuple[IntArray, ...]
    exhaustive: bool = False


class Evaluator:
    """Runs a tail on integers of chosen channels."""

    def __init__(self, model: ir.Model, tail: Tail) -> None:
        self.tail = tail
        shape = shape_of(tail.codes if tail.place is Place.BEHIND else tail.anchor)
        keep_all = tail.place is Place.BOTH
        rank = len(shape)
        self._dims = [
            size if keep_all or axis - rank in tail.axes else 1 for axis, size in enumerate(shape)
        ][1:]
        self._order = _order(tail.layouts, shape) if keep_all else None
        plain = expand(
            model,
            inputs=[tail.anchor],
            outputs=[tail.codes],
            nodes=tail.nodes,
            any_shape=True,
            any_batch=True,
            skip=() if keep_all else tail.layouts,
        )
        if tail.place is Place.BEHIND:  # fed as what the layout operators make of the anchor
            plain.graph.inputs[0].shape = ir.Shape([f"{axis}" for axis in range(rank)])
        self._dtype = np.float64 if tail.anchor.dtype == ir.DataType.DOUBLE else np.float32
        self.channels = math.prod(self._dims)
        fact = integer(tail.anchor)
        assert fact is not None
        low, high = fact.low, fact.high
        if tail.layouts and tail.place is not Place.BEFORE:  # channels may lie elsewhere then
            low, high = low.min(), high.max()
        full = [1, *shape[1:]]
        self.low = self._per_channel(low, full, np.min)
        self.high = self._per_channel(high, full, np.max)
        # a pool of threads takes longer to start than a small range to evaluate
        span = int((self.high - self.low).max()) + 1
        self._session = Session(plain, threads=1 if span * self.channels <= SMALL else 0)

    def _per_channel(self, bound: IntArray, shape: list[int], reduce: object) -> IntArray:
        """A bound for each channel, over the axes along which the function is the same."""
        array = np.broadcast_to(bound, shape)
        merged = tuple(
            axis for axis in range(1, len(shape)) if self._dims[axis - 1] == 1 and shape[axis] > 1
        )
        if merged:
            array = reduce(array, axis=merged, keepdims=True)  # type: ignore[operator]
        return np.asarray(array, dtype=np.int64).reshape(-1)

    def run(self, x: IntArray) -> IntArray:
        """Codes at the integers x [rows, channels]."""
        feeds = {str(self.tail.anchor.name): x.astype(self._dtype).reshape(-1, *self._dims)}
        name = str(self.tail.codes.name)
        codes: NDArray[np.floating] = self._session.run(feeds, [name])[name]
        if not np.all(np.isfinite(codes)):
            raise Unsupported("it gives values that are not finite")
        found = as_integers(codes).reshape(x.shape)
        if self._order is not None:
            found[:, self._order] = found.copy()
        return found


def _order(layouts: Sequence[ir.Node], shape: Sequence[int]) -> IntArray:
    """Where each element behind the layout operators stood before them."""
    places = np.arange(math.prod(shape), dtype=np.int64).reshape(shape)
    for node in layouts:
        if node.op_type == "Transpose":
            places = places.transpose(attribute(node, "perm", list(range(places.ndim))[::-1]))
        places = places.reshape(shape_of(node.outputs[0]))
    return places.reshape(-1)


def evaluate(model: ir.Model, tail: Tail, max_elements: int, max_steps: int) -> Steps:
    """Where the tail's code changes.

    Ranges of up to `max_elements` integers (channels counted each) are evaluated throughout,
    larger ones by bisection.

    Raises:
        Unsupported: the range is too large and the tail may turn round, or it has more than
            `max_steps` steps, as far as that is soon seen.
    """
    evaluator = Evaluator(model, tail)
    if tail.monotone:
        ends = [evaluator.run(x[None])[0] for x in (evaluator.low, evaluator.high)]
        check_steps(int(np.abs(ends[1] - ends[0]).max()), max_steps)
    span = int((evaluator.high - evaluator.low).max()) + 1
    if span * evaluator.channels <= max_elements:
        return _exhaustive(evaluator, span)
    if not tail.monotone:
        raise Unsupported(
            f"it is not known to be monotone, and its range of {span} integers is too large "
            "to evaluate throughout; quantize its input to fewer bits"
        )
    return _bisected(evaluator)


def check_steps(steps: int, most: int) -> None:
    """Raise Unsupported for more thresholds than a table may have."""
    if steps > most:
        raise Unsupported(
            f"it needs {steps} thresholds a channel, {most} are the most; quantize to "
            f"{most.bit_length() - 1} bits or fewer"
        )


def _exhaustive(evaluator: Evaluator, span: int) -> Steps:
    low, high = evaluator.low, evaluator.high
    rows = max(1, CHUNK // evaluator.channels)
    at: list[list[IntArray]] = [[] for _ in range(evaluator.channels)]
    to: list[list[IntArray]] = [[] for _ in range(evaluator.channels)]
    first = before = None
    for start in range(0, span, rows):
        index = np.arange(start, min(start + rows, span))[:, None]
        x = np.minimum(low + index, high)  # beyond its range a channel stands still
        codes = evaluator.run(x)
        if first is None or before is None:
            first, before = codes[0], codes[:1]
        moved = np.concatenate([before, codes])
        change_row, change_channel = np.nonzero(np.diff(moved, axis=0))
        for channel in np.unique(change_channel):
            rows_here = change_row[change_channel == channel]
            at[channel].append(x[rows_here, channel])
            to[channel].append(codes[rows_here, channel])
        before = codes[-1:]
    assert first is not None
    empty = np.zeros(0, dtype=np.int64)
    return Steps(
        low,
        high,
        first,
        tuple(np.concatenate(parts) if parts else empty for parts in at),
        tuple(np.concatenate(parts) if parts else empty for parts in to),
        exhaustive=True,
    )


def _bisected(evaluator: Evaluator) -> Steps:
    low, high = evaluator.low, evaluator.high
    first, last = evaluator.run(low[None])[0], evaluator.run(high[None])[0]
    sign = np.where(last >= first, 1, -1)
    count = int(np.abs(last - first).max())
    # step i of a channel is the first integer whose code is at least i + 1 away from `first`
    wanted = np.arange(1, count + 1)[:, None]
    left = np.broadcast_to(low, (count, low.size)).copy()
    right = np.broadcast_to(high + 1, (count, low.size)).copy()
    while np.any(left < right):
        middle = (left + right) // 2
        reached = _moved(evaluator, np.minimum(middle, high), first, sign) >= wanted
        reached |= middle > high
        active = left < right
        right = np.where(active & reached, middle, right)
        left = np.where(active & ~reached, middle + 1, left)
    strange = _strange(evaluator, left, first, sign)
    at, to, start = [], [], first.copy()
    for channel in range(low.size):
        inside = left[:, channel] <= high[channel]
        places, last_index = np.unique(left[inside, channel][::-1], return_index=True)
        codes = first[channel] + sign[channel] * (int(inside.sum()) - last_index)
        if channel in strange:
            start[channel], places, codes = _patched(
                low[channel], high[channel], first[channel], places, codes, strange[channel]
            )
        at.append(places)
        to.append(codes)
    return Steps(low, high, start, tuple(at), tuple(to))


def _patched(
    low: int, high: int, first: int, places: IntArray, codes: IntArray, strange: dict[int, int]
) -> tuple[int, IntArray, IntArray]:
    """A staircase (codes from each place on, `first` before) with other codes at a few integers:
    code at `low`, places, codes."""
    integers = np.array(sorted(strange), dtype=np.int64)
    points = np.unique(np.concatenate([[low], places, integers, integers + 1]))
    points = points[points <= high]
    found = np.concatenate([[first], codes])[np.searchsorted(places, points, "right")]
    index = np.searchsorted(points, integers)
    found[index] = [strange[int(x)] for x in integers]
    moves = np.flatnonzero(np.diff(found)) + 1
    return int(found[0]), points[moves], found[moves]


def _moved(evaluator: Evaluator, x: IntArray, first: IntArray, sign: IntArray) -> IntArray:
    rows = max(1, CHUNK // evaluator.channels)
    parts = [evaluator.run(x[i : i + rows]) for i in range(0, len(x), rows)]
    return (np.concatenate(parts) - first) * sign


def _strange(
    evaluator: Evaluator, places: IntArray, first: IntArray, sign: IntArray
) -> dict[int, dict[int, int]]:
    """Integers near steps whose codes are not what the steps say, by channel, with their codes:
    rounding inside a library's tanh can make the function turn round by a last bit.

    Raises:
        Unsupported: there are some so far from a step that others may lie further out.
    """
    strange: defaultdict[int, dict[int, int]] = defaultdict(dict)
    count, channels = places.shape
    # one search for all channels: those of each lie behind those of the one before
    apart = np.arange(channels) * (int((evaluator.high - evaluator.low).max()) + 2) - evaluator.low
    steps = (places + apart).T.reshape(-1)
    below = np.arange(channels)[:, None] * count
    for delta in range(-WINDOW, WINDOW + 1):
        x = np.clip(places + delta, evaluator.low, evaluator.high)
        found = _moved(evaluator, x, first, sign)
        passed = np.searchsorted(steps, (x + apart).T.reshape(-1), "right")
        expected = (passed.reshape(channels, count) - below).T
        if np.array_equal(found, expected):
            continue
        for step, channel in np.argwhere(found != expected):
            at = int(x[step, channel])
            if np.abs(places[:, channel] - at).min() > WINDOW // 2:
                raise Unsupported(
                    "it turns round by a rounding error, and its range is too large to evaluate "
                    "throughout; raise max-elements"
                )
            code = first[channel] + sign[channel] * found[step, channel]
            strange[int(channel)][at] = int(code)
    return strange
