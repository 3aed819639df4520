# SPDX-License-Identifier: Apache-2.0
"""FIFO depths of a stream graph: enough that nothing slows down the slowest node."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar, cast

import networkx as nx
import numpy as np

from qnnc.compiler.buffering.selftimed import UNBOUNDED, Channel, Execution, Graph
from qnnc.compiler.dataflow.schedule import Schedule
from qnnc.compiler.dataflow.stream_graph import End, StreamGraph

FRAMES = 4
SLACK = 1.01
"""How much longer than the slowest node a frame may take."""
BRANCH = "the other branch of {name} is late by as much"
RATE = "what comes in bursts would hold up the slowest node"


@dataclass(frozen=True)
class Depth:
    """A FIFO that is needed.

    Attributes:
        edge: number among the graph's inner edges.
        elements: that it must hold.
        reason: why.
    """

    edge: int
    elements: int
    reason: str


HURRIED = 0.9
"""Share of the pace beyond which a node must not wait for its input."""


def fifo_depths(graph: StreamGraph) -> list[Depth]:
    """The FIFOs that a stream graph needs; nodes that can are given more room of their own.

    All nodes are run against each other with FIFOs without bounds, frames coming in at the pace
    of the slowest node; the most that waits in a stream is a depth with which that pace holds.
    Between forks and joins every such depth is kept. Anywhere else a stream that is held up does
    no harm as long as the slowest node keeps its pace; room in nodes, then FIFOs are added
    there, the smallest first, only until it does.
    """
    if not graph.inner:
        return []
    model = _Model(graph)
    forks = _between_branches(graph)
    chosen = model.branch_depths(forks)
    if not model.keeps_pace(chosen):
        hurried = [i for i in range(len(graph.nodes)) if model.urgency(i) > HURRIED * model.pace]
        if any([graph.nodes[i].make_room() for i in hurried]):
            model = _Model(graph)
            chosen = model.branch_depths(forks)
    reasons = {i: BRANCH.format(name=forks[i]) for i in chosen}
    waiting = model.all_depths()
    others = sorted((n * model.bits(i), i) for i, n in waiting.items() if i not in forks)
    while others and not model.keeps_pace(chosen):
        for _, i in _some(others):
            chosen[i], reasons[i] = waiting[i], RATE
    return [Depth(i, chosen[i], reasons[i]) for i in sorted(chosen)]


Item = TypeVar("Item")


def _some(items: list[Item]) -> list[Item]:
    """Take the first few off a list, so that it is empty after a few times."""
    count = max(1, len(items) // 4)
    taken = items[:count]
    del items[:count]
    return taken


class _Model:
    """The stream graph with a source for every input."""

    def __init__(self, graph: StreamGraph) -> None:
        self.graph = graph
        nodes = graph.nodes
        self.schedules = [node.schedule(node.folding()) for node in nodes]
        self.pace = max(node.cycles(node.folding()) for node in nodes)
        self.channels = [
            Channel((e.source.node, e.source.port), (e.target.node, e.target.port))
            for e in graph.inner
            if e.source is not None and e.target is not None
        ]
        self.streams = [
            nodes[c.target[0]].ports(nodes[c.target[0]].folding()).inputs[c.target[1]]
            for c in self.channels
        ]
        self.entries = [e.target for e in graph.inputs if e.target is not None]

    def bits(self, channel: int) -> int:
        """Bits of an element."""
        return int(self.streams[channel].datatype.bitwidth())

    def run(self, capacities: list[int], *, throttled: bool) -> Execution:
        """Execute with capacities of the inner streams, in elements."""
        self.prepared, whole = self._with_sources(throttled), list(capacities)
        whole += [UNBOUNDED if throttled else self._vector(end) for end in self.entries]
        return self.prepared.run(whole, FRAMES)

    def _vector(self, end: End) -> int:
        """Elements of a vector at an input."""
        node = self.graph.nodes[end.node]
        return node.ports(node.folding()).inputs[end.port].shape[-1]

    def _with_sources(self, throttled: bool) -> Graph:
        actors, channels = list(self.schedules), list(self.channels)
        for target in self.entries:
            node = self.graph.nodes[target.node]
            stream = node.ports(node.folding()).inputs[target.port]
            steps = stream.elements // stream.shape[-1]
            cycles = stream.words // steps
            ends = np.arange(1, steps + 1) * stream.shape[-1]
            spread = np.full(steps, max(1, cycles), dtype=np.int64)
            if throttled and self.pace > steps * cycles:
                spread = np.diff(np.arange(steps + 1) * self.pace // steps)
            actors.append(Schedule(spread, 0, (), (ends,)))
            channels.append(Channel((len(actors) - 1, 0), (target.node, target.port)))
        return Graph(actors, channels)

    def urgency(self, node: int) -> int:
        """Cycles of the slowest node right behind a node, width converters seen through."""
        slowest, stack = 0, [node]
        for _ in range(2):
            stack = [c.target[0] for c in self.channels if c.source[0] in stack]
            cycles = [self.graph.nodes[i].cycles(self.graph.nodes[i].folding()) for i in stack]
            slowest = max([slowest, *cycles])
        return slowest

    def all_depths(self) -> dict[int, int]:
        """Elements that wait in each channel, at the pace of the slowest node, where any do."""
        execution = self.run([UNBOUNDED] * len(self.channels), throttled=True)
        found = {i: self.waiting(i, execution) for i in range(len(self.channels))}
        return {i: n for i, n in found.items() if n > 0}

    def branch_depths(self, forks: dict[int, str]) -> dict[int, int]:
        """The depths between forks and joins."""
        if not forks:
            return {}
        return {i: n for i, n in self.all_depths().items() if i in forks}

    def waiting(self, channel: int, execution: Execution) -> int:
        """Elements that a FIFO must hold; a vector that is just passing needs none."""
        stream = self.streams[channel]
        most = self.prepared.occupancy(channel, execution)
        passing = stream.shape[-1]
        return most if most > passing else 0

    def keeps_pace(self, chosen: dict[int, int]) -> bool:
        """The last node keeps the pace with these FIFOs."""
        capacities = [
            chosen.get(i, 0) + self.streams[i].shape[-1] for i in range(len(self.channels))
        ]
        execution = self.run(capacities, throttled=False)
        if execution.stuck:
            return False
        return all(
            execution.interval(i, schedule.firings) <= SLACK * self.pace
            for i, schedule in enumerate(self.schedules)
        )


def _between_branches(graph: StreamGraph) -> dict[int, str]:
    """Edges that lie on one of several ways from a fork to a join, with the fork's name: those
    whose removal does not cut the graph in two."""
    between: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
    for index, edge in enumerate(graph.inner):
        assert edge.source is not None and edge.target is not None
        between[edge.source.node, edge.target.node].append(index)
    ways: nx.Graph[int] = nx.Graph(list(between))
    # the stubs of networkx take an edge for one node
    pairs = cast("Iterable[tuple[int, int]]", nx.bridges(ways))
    bridges = {edges[0] for pair in pairs if len(edges := _of(between, pair)) == 1}
    forks: dict[int, str] = {}
    fork_of: dict[int, str] = {}
    for index, edge in enumerate(graph.inner):
        assert edge.source is not None and edge.target is not None
        if index in bridges:
            continue
        source = edge.source.node
        node = graph.nodes[source]
        name = node.name if len(node.node.outputs) > 1 else fork_of.get(source, node.name)
        forks[index] = name
        fork_of.setdefault(edge.target.node, name)
    return forks


def _of(between: dict[tuple[int, int], list[int]], pair: tuple[int, int]) -> list[int]:
    """Edges between two nodes, in whichever direction."""
    return [*between.get(pair, []), *between.get((pair[1], pair[0]), [])]
