# SPDX-License-Identifier: Apache-2.0
"""Corner samples: inputs that go where samples have not been.

A sample is worth what it adds: thresholds that are crossed, ends of ranges that are reached. The
sums of the first layer are driven to their ends by the signs of its weights. Further in, a search
goes through the graph itself: patterns of extremes and of chance in blocks of all sizes, then, in
rounds, mixtures of those that were worth most. How much is tried depends on how much one sample
takes, never on the clock, so that the same model gets the same samples.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from qnnc.compiler.dataflow import is_dataflow
from qnnc.compiler.ir.edit import shape_of
from qnnc.compiler.ir.facts import IntArray, integer
from qnnc.compiler.reference import BatchRunner
from qnnc.compiler.verification.coverage import UNREACHABLE, Coverage, Sum
from qnnc.compiler.verification.first_layer import directed, first_layer
from qnnc.compiler.verification.verifier import elements, integers

Inputs = dict[str, NDArray[np.float32]]
Extremes = tuple[NDArray[np.float32], NDArray[np.float32]]
EFFORT = 1 << 25
"""Elements of all integer tensors of all samples tried."""
TRIED = (12, 320)
"""Least and most samples tried."""
ROUND = 32
"""Samples of a round."""
IDLE = 2
"""Rounds in a row that add nothing, after which none follows."""
PARENTS = 24
"""The user's samples that are mixed with others."""


def corner_samples(
    model: ir.Model, inputs: Mapping[str, NDArray[np.float32]], coverage: Coverage
) -> Inputs:
    """Samples beyond those that `coverage` has seen, each of which adds to it.

    Args:
        model: a dataflow graph.
        inputs: samples [n, ...] seen before, by name; their extremes are those of an input that is
            not declared integer.
        coverage: what those have shown; not changed.

    Returns:
        Samples by name, as many for each input; none where nothing can be added.
    """
    search = _Search(model, inputs, coverage)
    for samples in search.rounds():
        search.take(samples)
    return search.found()


class _Search:
    """All inputs are side by side in one vector, [samples, elements]."""

    def __init__(
        self, model: ir.Model, inputs: Mapping[str, NDArray[np.float32]], coverage: Coverage
    ) -> None:
        self.rng = np.random.default_rng(0)
        self.model = model
        self.values = list(model.graph.inputs)
        self.sums = [s for s in coverage.sums if not s.value.is_graph_input()]
        cost = max(1, elements(integers(model)))
        self.tries = int(np.clip(EFFORT // cost, *TRIED))
        self.batch = int(np.clip((1 << 21) // cost, 1, ROUND))
        self.runner = BatchRunner(model, [s.value for s in self.sums], self.batch)
        few = [inputs[str(v.name)][:PARENTS] for v in self.values]
        self.parents = list(np.concatenate([a.reshape(len(a), -1) for a in few], axis=1))
        self.low, self.high, self.whole = self._ends(inputs)
        self.kept: list[NDArray[np.float32]] = []
        self.open: dict[Sum, IntArray] = {}
        self.places: dict[Sum, IntArray] = {}
        self.ranks: dict[Sum, tuple[IntArray, IntArray]] = {}
        for total in self.sums:
            self.open[total] = np.arange(total.channels)
            self.places[total] = total.landmarks()
            seen = (total.seen_low[None], total.seen_high[None])
            least, most = (_rank(self.places[total], end)[0] for end in seen)
            self._keep(total, least, most)
        self.sums = [s for s in self.sums if self.open[s].size]

    def _ends(
        self, inputs: Mapping[str, NDArray[np.float32]]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
        """Least and greatest of each element, and whether it is an integer."""
        parts: list[tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]] = []
        for value in self.values:
            shape, fact = shape_of(value), integer(value)
            reach: tuple[NDArray[Any], NDArray[Any]]
            if fact is None:
                reach = _reach(self.model, value, inputs[str(value.name)])
            else:
                reach = fact.low, fact.high
            ends = [np.broadcast_to(e, shape).ravel().astype(np.float32) for e in reach]
            parts.append((ends[0], ends[1], np.full(ends[0].shape, fact is not None)))
        return (
            np.concatenate([low for low, _, _ in parts]),
            np.concatenate([high for _, high, _ in parts]),
            np.concatenate([whole for _, _, whole in parts]),
        )

    # --- what to try --------------------------------------------------------------------------

    def rounds(self) -> Iterator[NDArray[np.float32]]:
        """Samples to try, round by round, [samples, elements]."""
        left = self.tries
        first = np.stack([self.low, self.high])
        layer = first_layer(self.model) if self.sums else None
        if layer is not None:
            aimed = directed(*layer, self.low, self.high, max(1, left // 2), self.rng)
            first = np.concatenate([first, aimed])
        idle = 0
        while left > 0 and self.sums and idle < IDLE:
            count = min(ROUND, left) - len(first) % ROUND
            fresh = [
                self._pattern() if self._early(left) else self._mixture() for _ in range(count)
            ]
            samples = np.concatenate([first, *([np.stack(fresh)] if fresh else [])])
            left -= len(samples)
            first, before = first[:0], len(self.kept)
            yield samples
            idle = 0 if len(self.kept) > before else idle + 1

    def _early(self, left: int) -> bool:
        return left > self.tries // 2 or bool(self.rng.random() < 0.25)

    def _pattern(self) -> NDArray[np.float32]:
        """Chance in blocks: either all at the ends of the range, or all over it."""
        share = []
        for value in self.values:
            shape = shape_of(value)[1:]
            blocks = [int(self.rng.choice(_sizes(size))) for size in shape]
            grid = [-(-size // block) for size, block in zip(shape, blocks, strict=True)]
            coarse = self.rng.random(grid)
            for axis, block in enumerate(blocks):
                coarse = np.repeat(coarse, block, axis=axis)
            share.append(coarse[tuple(slice(size) for size in shape)].ravel())
        chance = np.concatenate(share)
        if self.rng.random() < 0.6:
            chance = (chance < self.rng.choice([0.25, 0.5, 0.75])).astype(np.float64)
        x = (self.low + chance * (self.high - self.low)).astype(np.float32)
        x[self.whole] = np.rint(x[self.whole])
        return x

    def _mixture(self) -> NDArray[np.float32]:
        """A sample that was worth keeping, with blocks of another sample or pattern."""
        known = [*self.kept, *self.parents]
        first = known[int(self.rng.integers(len(self.kept) or len(known)))]
        other = known[int(self.rng.integers(len(known)))]
        if self.rng.random() < 0.5:
            other = self._pattern()
        mask = self._pattern() > (self.low + self.high) / 2
        mixed: NDArray[np.float32] = np.where(mask, first, other)
        return mixed

    # --- what it was worth --------------------------------------------------------------------

    def take(self, samples: NDArray[np.float32]) -> None:
        """Run samples and keep those that add something, the best first."""
        chosen = self._worth(self._extremes(samples), self.tries // 2 - len(self.kept))
        self.kept += [samples[index] for index in chosen]
        self.sums = [s for s in self.sums if self.open[s].size]

    def _worth(self, extremes: dict[Sum, Extremes], room: int) -> list[int]:
        """The samples that add most, one after the other, until none adds anything."""
        sums = list(extremes)
        least, most = (
            np.concatenate([_rank(self.places[s], extremes[s][end]) for s in sums], axis=1)
            for end in (0, 1)
        )
        before = [np.concatenate([self.ranks[s][end] for s in sums]) for end in (0, 1)]

        def gain(index: int) -> int:
            more = np.maximum(most[index] - before[1], 0).sum(dtype=np.int64)
            return int(more + np.maximum(before[0] - least[index], 0).sum(dtype=np.int64))

        # what a sample adds can only shrink: most need not be looked at again after each choice
        waiting = [(-gain(index), index) for index in range(len(least))]
        heapq.heapify(waiting)
        chosen: list[int] = []
        while waiting and len(chosen) < room:
            index = waiting[0][1]
            now = (-gain(index), index)
            heapq.heapreplace(waiting, now)
            if waiting[0] != now:
                continue
            if now[0] == 0:
                break
            chosen.append(index)
            before = [np.minimum(before[0], least[index]), np.maximum(before[1], most[index])]
        start = 0
        for total in sums:
            end = start + len(self.open[total])
            self._keep(total, before[0][start:end], before[1][start:end])
            start = end
        return chosen

    def _keep(self, total: Sum, least: IntArray, most: IntArray) -> None:
        """Go on with those channels of a sum that have places left to pass."""
        places = self.places[total]
        last = (places < UNREACHABLE).sum(axis=1)
        left = (least > 0) | (most < last)
        self.open[total] = self.open[total][left]
        self.places[total] = places[left]
        self.ranks[total] = (least[left], most[left])

    def _extremes(self, samples: NDArray[np.float32]) -> dict[Sum, Extremes]:
        """Least and greatest of each open channel of each sum, [samples, channels] each."""
        parts: dict[Sum, list[Extremes]] = {total: [] for total in self.sums}
        names = [str(total.value.name) for total in self.sums]
        for start in range(0, len(samples), self.batch):
            part = samples[start : start + self.batch]
            found = self.runner.run(self._feeds(part), list(dict.fromkeys(names)))
            for total, name in zip(self.sums, names, strict=True):
                rows = found[name].reshape(len(part), -1, total.channels)
                if len(self.open[total]) < total.channels:
                    rows = rows[..., self.open[total]]
                parts[total].append((rows.min(axis=1), rows.max(axis=1)))
        return {
            total: (np.concatenate([p[0] for p in found]), np.concatenate([p[1] for p in found]))
            for total, found in parts.items()
        }

    def _feeds(self, samples: NDArray[np.float32]) -> Inputs:
        feeds, start = {}, 0
        for value in self.values:
            shape = shape_of(value)[1:]
            size = int(np.prod(shape))
            feeds[str(value.name)] = samples[:, start : start + size].reshape(-1, *shape)
            start += size
        return feeds

    def found(self) -> Inputs:
        """The samples kept, by input."""
        width = len(self.low)
        return self._feeds(np.stack(self.kept) if self.kept else np.zeros((0, width), np.float32))


def _reach(
    model: ir.Model, value: ir.Value, samples: NDArray[np.float32]
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Least and greatest of an input that is not declared integer: of its samples, and what the
    ends of its quantizer stand for, where the host quantizes it."""
    low, high = np.asarray(samples.min(), float), np.asarray(samples.max(), float)
    size = int(np.prod(shape_of(value)))
    for node in model.graph:
        fact = integer(node.outputs[0])
        if is_dataflow(node) or fact is None or not fact.quantized or fact.order is not None:
            continue
        if int(np.prod(shape_of(node.outputs[0]))) == size:
            for end in (fact.low, fact.high):
                stands_for = end * fact.scale + fact.offset
                low = np.minimum(low, stands_for.min())
                high = np.maximum(high, stands_for.max())
            break
    return low, high


def _rank(places: IntArray, values: NDArray[np.floating]) -> IntArray:
    """How many places lie at or below each value, [samples, channels].

    Args:
        places: [channels, places], ascending.
        values: [samples, channels].
    """
    found: IntArray = np.zeros(values.shape, dtype=np.int64)
    if places.shape[1] <= 32:
        for column in places.T.astype(values.dtype):  # exact, as the values are
            found += values >= column
        return found
    for channel, row in enumerate(places):
        found[:, channel] = np.searchsorted(row, values[:, channel], side="right")
    return found


def _sizes(size: int) -> list[int]:
    """Sizes of blocks along an axis: powers of two, and the whole."""
    return [*(1 << n for n in range(max(0, size - 1).bit_length())), size]
