# SPDX-License-Identifier: Apache-2.0
"""A layered drawing of a graph that is mostly a chain with branches.

Nodes are put into rows by the longest path to them, an edge over several rows gets a way point in
each row between (K. Sugiyama, S. Tagawa and M. Toda, "Methods for visual understanding of
hierarchical system structures", 1981). Within a row the order follows the neighbours' means, and
places are the least squares ones that keep that order and the distances. Work is linear in
nodes and way points.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

GAP = 18.0
"""Between neighbours in a row."""
POINT = 14.0
"""Width of a way point."""
SWEEPS = 6
MOST = 20_000
"""Nodes and way points of the largest graph that is drawn."""

Edge = tuple[int, int]


@dataclass(frozen=True)
class Segment:
    """The part of an edge between a row and the next.

    Attributes:
        edge: its number.
        start: x in the upper row.
        end: x in the lower row.
        first: it begins at a node, not at a way point.
        last: it ends at a node.
    """

    edge: int
    start: float
    end: float
    first: bool
    last: bool


@dataclass
class Row:
    """A row of the drawing: (node, x of its centre), way points' x, and the edges below it."""

    nodes: list[tuple[int, float]] = field(default_factory=list)
    points: list[float] = field(default_factory=list)
    below: list[Segment] = field(default_factory=list)


@dataclass(frozen=True)
class Layout:
    """A drawing: rows from top to bottom, and how wide it is."""

    rows: list[Row]
    width: float


def layered(widths: Sequence[float], edges: Sequence[Edge], late: Collection[int]) -> Layout | None:
    """Place nodes.

    Args:
        widths: of the nodes; a node is named by its index.
        edges: from node to node, without cycles; several may join the same two.
        late: nodes that, if nothing leads to them, stand just above their users, not at the top.

    Returns:
        The drawing, or None if it would be larger than `MOST` or the edges go in circles.
    """
    ranks = _ranks(len(widths), edges, late)
    if ranks is None:
        return None
    points = sum(ranks[b] - ranks[a] - 1 for a, b in edges)
    if len(widths) + points > MOST:
        return None
    items = _Items(widths, edges, ranks)
    items.order()
    items.place()
    return items.drawn(len(widths), edges)


def _ranks(count: int, edges: Sequence[Edge], late: Collection[int]) -> list[int] | None:
    below: list[list[int]] = [[] for _ in range(count)]
    above: list[list[int]] = [[] for _ in range(count)]
    for a, b in edges:
        below[a].append(b)
        above[b].append(a)
    waiting = [len(found) for found in above]
    order = [node for node in range(count) if not waiting[node]]
    ranks = [0] * count
    for node in order:  # grows within the loop
        for user in below[node]:
            ranks[user] = max(ranks[user], ranks[node] + 1)
            waiting[user] -= 1
            if not waiting[user]:
                order.append(user)
    if len(order) < count:
        return None
    movable = set(late)
    moved: set[int] = set()
    for node in order:
        if node in movable and all(source in moved for source in above[node]):
            moved.add(node)
    for node in reversed(order):
        if node in moved and below[node]:
            ranks[node] = min(ranks[user] for user in below[node]) - 1
    return ranks


class _Items:
    """Nodes and way points, in rows."""

    def __init__(self, widths: Sequence[float], edges: Sequence[Edge], ranks: list[int]) -> None:
        self.widths = list(widths)
        self.ranks = list(ranks)
        self.chains: list[list[int]] = []
        for a, b in edges:
            chain = [a]
            for rank in range(ranks[a] + 1, ranks[b]):
                chain.append(len(self.widths))
                self.widths.append(POINT)
                self.ranks.append(rank)
            self.chains.append([*chain, b])
        size = len(self.widths)
        self.above: list[list[int]] = [[] for _ in range(size)]
        self.below: list[list[int]] = [[] for _ in range(size)]
        for chain in self.chains:
            for a, b in itertools.pairwise(chain):
                self.below[a].append(b)
                self.above[b].append(a)
        self.rows: list[list[int]] = [[] for _ in range(max(self.ranks, default=-1) + 1)]
        for item, rank in enumerate(self.ranks):
            self.rows[rank].append(item)
        self.x = [0.0] * size
        self.count = len(widths)

    def order(self) -> None:
        """Sort each row by the mean place of the neighbours in the row before, down and up."""
        place = [0.0] * len(self.widths)
        for row in self.rows:
            _number(row, place)
        for sweep in range(SWEEPS):
            down = sweep % 2 == 0
            neighbours = self.above if down else self.below
            for row in self.rows if down else reversed(self.rows):
                keys = {
                    item: _mean([place[n] for n in neighbours[item]], place[item]) for item in row
                }
                row.sort(key=keys.__getitem__)
                _number(row, place)

    def place(self) -> None:
        """Give each item the mean x of its neighbours, as near as its row allows."""
        for sweep in range(SWEEPS + 1):
            down = sweep % 2 == 0
            neighbours = self.above if down else self.below
            for row in self.rows if down else reversed(self.rows):
                wanted = [
                    _mean([self.x[n] for n in neighbours[item]], self.x[item]) for item in row
                ]
                # a bend in a long edge is uglier than a node beside its neighbours' middle
                weights = [1.0 if item < self.count else 4.0 for item in row]
                apart = [
                    (self.widths[a] + self.widths[b]) / 2 + GAP for a, b in itertools.pairwise(row)
                ]
                for item, x in zip(row, _spread(wanted, weights, apart), strict=True):
                    self.x[item] = x

    def drawn(self, count: int, edges: Sequence[Edge]) -> Layout:
        """The rows with x from 0 up."""
        lefts = [x - w / 2 for x, w in zip(self.x, self.widths, strict=True)]
        rights = [x + w / 2 for x, w in zip(self.x, self.widths, strict=True)]
        left, right = min(lefts, default=0.0), max(rights, default=0.0)
        x = [value - left for value in self.x]
        rows = [
            Row(
                [(item, x[item]) for item in row if item < count],
                [x[item] for item in row if item >= count],
            )
            for row in self.rows
        ]
        for edge, chain in enumerate(self.chains):
            for a, b in itertools.pairwise(chain):
                segment = Segment(edge, x[a], x[b], a < count, b < count)
                rows[self.ranks[a]].below.append(segment)
        return Layout(rows, right - left)


def _number(row: Sequence[int], place: list[float]) -> None:
    """Places of a row's items, symmetrical about 0."""
    for index, item in enumerate(row):
        place[item] = index - (len(row) - 1) / 2


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _spread(
    wanted: Sequence[float], weights: Sequence[float], apart: Sequence[float]
) -> list[float]:
    """Nearest to `wanted` by weighted squares, in this order, neighbours at least `apart`: pool
    adjacent violators, on places less the distances before them."""
    offset = 0.0
    offsets: list[float] = []
    pools: list[tuple[float, float, int]] = []  # mean, weight, members
    for index, (x, weight) in enumerate(zip(wanted, weights, strict=True)):
        offset += apart[index - 1] if index else 0.0
        offsets.append(offset)
        mean, total, members = x - offset, weight, 1
        while pools and pools[-1][0] > mean:
            other, more, count = pools.pop()
            mean = (mean * total + other * more) / (total + more)
            total, members = total + more, members + count
        pools.append((mean, total, members))
    flat = [mean for mean, _, members in pools for _ in range(members)]
    return [mean + before for mean, before in zip(flat, offsets, strict=True)]
