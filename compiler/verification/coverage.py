# SPDX-License-Identifier: Apache-2.0
"""How far samples have driven a dataflow graph: which thresholds they crossed, how much of each
sum's range they showed, which of its ends they reached."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from qnnc.compiler.dataflow import DataflowNode, Role, declaration, is_dataflow
from qnnc.compiler.ir.edit import shape_of
from qnnc.compiler.ir.facts import IntArray, integer

PASSING_ON = frozenset({Role.JOIN, Role.LABELS})
"""Roles of nodes besides those that keep the coding whose outputs say nothing new."""
UNREACHABLE = int(np.iinfo(np.int64).max)
EVEN = 8
"""Parts into which a range is divided where there are no thresholds."""


@dataclass(eq=False)
class Sum:
    """An integer tensor [1, ..., channels] whose extremes matter.

    Attributes:
        value: the tensor.
        low: least value that each channel can have, [channels].
        high: greatest, likewise.
        thresholds: that can tell two of its values apart, [channels, steps]; those out of reach
            are high + 1. No steps where no table follows.
        seen_low: least value seen, [channels].
        seen_high: greatest value seen, [channels].
    """

    value: ir.Value
    low: IntArray
    high: IntArray
    thresholds: IntArray
    seen_low: NDArray[np.float64] = field(init=False)
    seen_high: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        self.seen_low = np.full(self.low.shape, np.inf)
        self.seen_high = np.full(self.low.shape, -np.inf)

    @property
    def channels(self) -> int:
        """How many numbers its last dimension has."""
        return int(self.low.size)

    def see(self, low: NDArray[Any], high: NDArray[Any]) -> None:
        """Take in extremes [channels]."""
        np.minimum(self.seen_low, low, out=self.seen_low)
        np.maximum(self.seen_high, high, out=self.seen_high)

    def landmarks(self) -> IntArray:
        """Places worth passing, ascending: thresholds, even steps through the range and its ends,
        [channels, places]. One is passed when values on both sides of it were seen."""
        span = self.high - self.low
        steps = np.arange(1, EVEN) / EVEN
        even = self.low[:, None] + 1 + np.floor(span[:, None] * steps).astype(np.int64)
        ends = np.stack([self.low + 1, self.high], axis=1)
        found = np.concatenate([self.thresholds, even, ends], axis=1)
        found[(found <= self.low[:, None]) | (found > self.high[:, None])] = UNREACHABLE
        return np.sort(found, axis=1)


@dataclass(frozen=True)
class Figures:
    """What was seen of a layer.

    Attributes:
        thresholds: that its input can reach, over all channels; 0 without a table.
        crossed: those of which both sides were seen.
        ends: of the ranges of all channels.
        ends_reached: those that were seen.
        range_seen: from the least to the greatest value seen, as a share of the range, mean of
            all channels.
    """

    thresholds: int
    crossed: int
    ends: int
    ends_reached: int
    range_seen: float


class Coverage:
    """Watches the sums of a dataflow graph: what thresholds are compared with, and what
    arithmetic gives.

    Attributes:
        sums: in the graph's order.
    """

    def __init__(self, model: ir.Model) -> None:
        found: dict[ir.Value, Sum] = {}
        self._of_node: dict[str, Sum] = {}
        for node in model.graph:
            if not is_dataflow(node):
                continue
            declared = declaration(node)
            value = node.inputs[0] if _thresholds(declared) is not None else node.outputs[0]
            if value is None or declared.keeps_coding or declared.role in PASSING_ON:
                continue
            made = _sum(value, _thresholds(declared))
            if made is None:
                continue
            known = found.get(value)
            if known is None or known.thresholds.shape[1] < made.thresholds.shape[1]:
                found[value] = made
            self._of_node[declared.name] = found[value]
        self._of_value = found
        self._of_node = {name: found[total.value] for name, total in self._of_node.items()}
        self.sums = list(found.values())

    def see(self, value: ir.Value, low: NDArray[Any], high: NDArray[Any]) -> None:
        """Take in the extremes of a tensor, [1, ..., channels]."""
        total = self._of_value.get(value)
        if total is not None:
            rows = (-1, total.channels)
            total.see(low.reshape(rows).min(axis=0), high.reshape(rows).max(axis=0))

    def of(self, node: str) -> Figures | None:
        """What was seen of a dataflow node; None for one that only passes elements on."""
        total = self._of_node.get(node)
        return None if total is None else figures([total])

    def whole(self) -> Figures:
        """What was seen of all sums, each counted once."""
        return figures(self.sums)


def figures(sums: list[Sum]) -> Figures:
    """What was seen of several sums; figures of a range are means over their channels."""
    thresholds = crossed = ends = reached = 0
    shares: list[NDArray[np.float64]] = [np.zeros(0)]
    for total in sums:
        low, high = total.low[:, None], total.high[:, None]
        real = (total.thresholds > low) & (total.thresholds <= high)
        passed = (total.thresholds > total.seen_low[:, None]) & (
            total.thresholds <= total.seen_high[:, None]
        )
        thresholds += int(real.sum())
        crossed += int((real & passed).sum())
        ends += 2 * total.channels
        reached += int((total.seen_low <= total.low).sum() + (total.seen_high >= total.high).sum())
        span = (total.high - total.low).astype(np.float64)
        seen = np.maximum(total.seen_high - total.seen_low, 0)
        shares.append(np.where(span > 0, seen / np.maximum(span, 1), 1.0))
    every = np.concatenate(shares)
    return Figures(thresholds, crossed, ends, reached, float(every.mean()) if every.size else 1.0)


def _thresholds(node: DataflowNode) -> IntArray | None:
    """The table of a node that has one, [channels or 1, steps]."""
    table = getattr(node, "thresholds", None)
    return None if table is None else np.asarray(table(), dtype=np.int64)


def _sum(value: ir.Value, thresholds: IntArray | None) -> Sum | None:
    fact = integer(value)
    if fact is None:
        return None
    shape = (1, *shape_of(value)[1:])
    channels = shape[-1]
    low = np.broadcast_to(fact.low, shape).reshape(-1, channels).min(axis=0)
    high = np.broadcast_to(fact.high, shape).reshape(-1, channels).max(axis=0)
    table = np.zeros((1, 0), dtype=np.int64) if thresholds is None else thresholds
    if len(table) not in (1, channels):
        return None
    rows = np.broadcast_to(table, (channels, table.shape[1]))
    reachable = (rows > low[:, None]) & (rows <= high[:, None])
    rows = np.where(reachable, rows, high[:, None] + 1)
    return Sum(value, low, high, rows)
