# SPDX-License-Identifier: Apache-2.0
"""FIFO depths of a stream graph: enough that nothing slows down the slowest node."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import cast

import networkx as nx
import numpy as np

from qnnc.compiler.buffering.selftimed import UNBOUNDED, Channel, Execution, Graph
from qnnc.compiler.dataflow.plumbing import Fifo
from qnnc.compiler.dataflow.schedule import Schedule
from qnnc.compiler.dataflow.stream_graph import StreamGraph

FRAMES = 3
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
    In front of a join that depth is kept. Anywhere else a stream that is held up does no harm as
    long as the slowest node keeps its pace, which is tried with the FIFOs chosen so far. If it
    does not, FIFOs are added in front of nodes that take nothing for a while (paddings), then
    nodes after hurried ones get room for the next frame, then every depth is kept, at last those
    of a single vector, too: where several layers follow each other at a few pixels per frame,
    each waits for the first of the next.
    """
    if not graph.inner:
        return []
    model = _Model(graph)
    joins, uneven = model.joins(_between_branches(graph)), model.uneven()
    chosen = model.depths(set(joins))
    for step in _Step:
        if model.keeps_pace(chosen):
            break
        if step is _Step.ROOM:
            hurried = [
                i for i in range(len(graph.nodes)) if model.urgency(i) > HURRIED * model.pace
            ]
            made = [graph.nodes[i].make_room() for i in hurried]
            model = _Model(graph) if any(made) else model
        everywhere = set(range(len(graph.inner)))
        chosen = model.depths(
            everywhere if step in (_Step.ALL, _Step.VECTORS) else {*joins, *uneven},
            vectors=step is _Step.VECTORS,
        )
    return [
        Depth(i, n, BRANCH.format(name=joins[i]) if i in joins else RATE)
        for i, n in sorted(chosen.items())
    ]


def pace_of(graph: StreamGraph) -> int:
    """Cycles per frame: those of the slowest node, or of a recurrence, whose nodes wait for each
    other at every step."""
    return _Model(graph).pace


def executed(graph: StreamGraph) -> tuple[list[Schedule], Execution]:
    """Schedules of the nodes, and their execution for `FRAMES` frames that come as fast as they
    are taken, with no FIFOs but those that are nodes."""
    model = _Model(graph)
    targets = (graph.nodes[channel.target[0]] for channel in model.channels)
    capacities = [
        node.depth * stream.lanes if isinstance(node, Fifo) else 0
        for node, stream in zip(targets, model.streams, strict=True)
    ]
    return model.schedules, model.run(capacities, throttled=False)


class _Step(Enum):
    PADDINGS, ROOM, ALL, VECTORS = range(4)


class _Model:
    """The stream graph with a source for every input."""

    def __init__(self, graph: StreamGraph) -> None:
        self.graph = graph
        nodes = graph.nodes
        self.schedules = [node.schedule(node.folding()) for node in nodes]
        self.channels = [
            Channel((e.source.node, e.source.port), (e.target.node, e.target.port))
            for e in (*graph.inner, *graph.feedback)
            if e.source is not None and e.target is not None
        ]
        self.streams = [
            nodes[c.target[0]].ports(nodes[c.target[0]].folding()).inputs[c.target[1]]
            for c in self.channels
        ]
        self.entries = [e.target for e in graph.inputs if e.target is not None]
        self.after: defaultdict[int, list[int]] = defaultdict(list)
        for channel in self.channels:
            self.after[channel.source[0]].append(channel.target[0])

    @cached_property
    def pace(self) -> int:
        """Cycles per frame of the slowest node, or of nodes that wait for what they gave themselves
        a step before."""
        slowest = max(node.cycles(node.folding()) for node in self.graph.nodes)
        if not self.graph.feedback:
            return slowest
        free = [UNBOUNDED] * len(self.channels) + [0] * len(self.entries)
        execution = self._with_sources(throttled=False).run(free, FRAMES)
        waiting = (execution.interval(i, s.firings) for i, s in enumerate(self.schedules))
        return max(slowest, *waiting)

    def bits(self, channel: int) -> int:
        """Bits of an element."""
        return int(self.streams[channel].datatype.bitwidth())

    def run(self, capacities: list[int], *, throttled: bool) -> Execution:
        """Execute with capacities of the inner streams, in elements."""
        self.prepared, whole = self._with_sources(throttled=throttled), list(capacities)
        whole += [UNBOUNDED if throttled else 0] * len(self.entries)
        return self.prepared.run(whole, FRAMES)

    def _with_sources(self, *, throttled: bool) -> Graph:
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
        """Cycles of the slowest node right after a node, width converters seen through."""
        slowest, stack = 0, [node]
        for _ in range(2):
            stack = [target for source in stack for target in self.after[source]]
            cycles = [self.graph.nodes[i].cycles(self.graph.nodes[i].folding()) for i in stack]
            slowest = max([slowest, *cycles])
        return slowest

    def depths(self, channels: set[int], *, vectors: bool = False) -> dict[int, int]:
        """Elements that wait in some channels, at the pace of the slowest node, where any do.

        Args:
            vectors: where it is no more than a vector that is just passing, too.
        """
        if not channels:
            return {}
        execution = self.run([UNBOUNDED] * len(self.channels), throttled=True)
        found = {i: self.waiting(i, execution, vectors=vectors) for i in channels}
        return {i: n for i, n in found.items() if n > 0}

    def joins(self, forks: dict[int, str]) -> dict[int, str]:
        """Channels in front of joins, where branches of different delay meet."""
        targets = {i: self.channels[i].target[0] for i in forks}
        return {i: forks[i] for i, t in targets.items() if len(self.schedules[t].intakes) > 1}

    def uneven(self) -> set[int]:
        """Channels whose consumer takes nothing in some of its firings, and cannot take ahead."""
        found = set()
        for i, channel in enumerate(self.channels):
            intake = self.schedules[channel.target[0]].intakes[channel.target[1]]
            if intake.room == 0 and np.any(np.diff(intake.freed, prepend=0) == 0):
                found.add(i)
        return found

    def waiting(self, channel: int, execution: Execution, *, vectors: bool) -> int:
        """Elements that a FIFO must hold; a vector that is just passing needs none, but in front
        of a join, or with `vectors`."""
        stream = self.streams[channel]
        most = self.prepared.occupancy(channel, execution)
        passing = stream.shape[-1]
        if most == 0 or (most <= passing and not vectors and not self._joins(channel)):
            return 0
        return most + passing

    def _joins(self, channel: int) -> bool:
        """The consumer has other inputs: what passes may have to wait for them, as a fork gives
        a word to all branches at once, and a branch may take a whole vector before it gives."""
        return len(self.schedules[self.channels[channel].target[0]].intakes) > 1

    def keeps_pace(self, chosen: dict[int, int]) -> bool:
        """The nodes at the end keep the pace with these FIFOs."""
        capacities = [chosen.get(i, 0) for i in range(len(self.channels))]
        execution = self.run(capacities, throttled=False)
        if execution.stuck:
            return False
        feeding = {channel.source[0] for channel in self.channels}
        return all(
            execution.interval(i, schedule.firings) <= SLACK * self.pace
            for i, schedule in enumerate(self.schedules)
            if i not in feeding
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
