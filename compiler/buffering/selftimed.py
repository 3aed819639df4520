# SPDX-License-Identifier: Apache-2.0
"""Self-timed execution of a stream graph: every node fires as soon as it can.

A firing starts when the node's last one is done, its elements have come, and there is room for
what it gives. The times of all firings follow from each other (max-plus); they are found in one
sweep, without stepping through cycles, and where nothing is bounded for whole actors at once. A
firing is over when its results have found a place, in a FIFO, in the consumer or, being taken in
as they come, in the consumer's own pipeline.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import networkx as nx
import numpy as np

from qnnc.compiler.dataflow.schedule import Schedule
from qnnc.compiler.ir.facts import IntArray

UNBOUNDED = 1 << 60
NOTHING = -1
"""In place of a firing that is waited for."""
Place = tuple[int, int]
"""How many frames back, and which of the frame's firings."""


@dataclass(frozen=True)
class Channel:
    """A stream between two actors.

    Attributes:
        source: number of the producing actor, and its port.
        target: number of the consuming actor, and its port.
    """

    source: tuple[int, int]
    target: tuple[int, int]


@dataclass(frozen=True, eq=False)
class Execution:
    """Times of all firings.

    Attributes:
        starts: for each actor, when each firing started.
        stuck: actors that could not proceed, in a deadlock.
    """

    starts: list[IntArray]
    stuck: tuple[int, ...]

    def interval(self, actor: int, firings: int) -> int:
        """Cycles between the last two frames of an actor."""
        times = self.starts[actor]
        return int(times[-1] - times[-1 - firings])


class Graph:
    """Actors and channels, prepared for execution with different capacities."""

    def __init__(self, actors: Sequence[Schedule], channels: Sequence[Channel]) -> None:
        self.actors = list(actors)
        self.channels = list(channels)
        self._ways: nx.DiGraph[int] = nx.DiGraph()
        self._ways.add_nodes_from(range(len(self.actors)))
        self._ways.add_edges_from((c.source[0], c.target[0]) for c in self.channels)
        self.cyclic = not nx.is_directed_acyclic_graph(self._ways)
        self._needs = [self._needed(channel) for channel in channels]

    def _given(self, channel: Channel) -> IntArray:
        return self.actors[channel.source[0]].given[channel.source[1]]

    def _needed(self, channel: Channel) -> tuple[IntArray, IntArray]:
        """For each firing of the consumer the producer's firing that it waits for, and how long
        after that one's start it can begin."""
        producer = self.actors[channel.source[0]]
        consumer = self.actors[channel.target[0]]
        intake, given = consumer.intakes[channel.target[1]], self._given(channel)
        which = np.searchsorted(given, intake.needed)
        before = np.concatenate([[0], given])[which]
        # a firing that needs nothing waits for none of the producer's elements
        share = (intake.needed - before) / np.maximum(1, given[which] - before)
        wait = np.ceil(share * producer.cycles[which]).astype(np.int64)
        if intake.room == 0 and np.array_equal(intake.needed, intake.freed):
            # elements are used up as they come: only the last must be there in time
            wait = np.maximum(0, wait - consumer.cycles)
        if self.cyclic:
            which[intake.needed == 0] = NOTHING
        return which, wait + producer.latency

    def _space(self, channel: Channel, capacity: int) -> list[Place]:
        """For each firing of the producer, which firing of the consumer makes room for what it
        gives."""
        intake = self.actors[channel.target[0]].intakes[channel.target[1]]
        given = self._given(channel)
        total = int(given[-1])
        must_be_free = given - capacity - intake.room
        back = -((must_be_free - 1) // total)
        rest = must_be_free + back * total
        index = np.searchsorted(intake.freed, rest)
        return list(zip(back.tolist(), index.tolist(), strict=True))

    def run(self, capacities: Sequence[int], frames: int) -> Execution:
        """Execute some frames.

        Args:
            capacities: elements that each channel holds, besides the room in its consumer.
        """
        if not self.cyclic and all(capacity >= UNBOUNDED for capacity in capacities):
            return self._without_bounds(frames)
        runs = [_Run(actor, frames) for actor in self.actors]
        for channel, needs, capacity in zip(self.channels, self._needs, capacities, strict=True):
            source, target = runs[channel.source[0]], runs[channel.target[0]]
            pairs = list(zip(*(part.tolist() for part in needs), strict=True))
            target.sources.append((source, source.starts, source.firings, pairs))
            if capacity < UNBOUNDED:
                space = self._space(channel, capacity)
                source.targets.append((target, target.releases, target.firings, space))
        waiting = deque(runs)
        while waiting:
            run = waiting.popleft()
            if run.advance():
                waiting.extend(run.waiters)
                run.waiters.clear()
        stuck = tuple(i for i, run in enumerate(runs) if len(run.starts) < run.count)
        return Execution([np.asarray(run.starts, dtype=np.int64) for run in runs], stuck)

    def _without_bounds(self, frames: int) -> Execution:
        """Nothing waits for room, so that each actor's times follow at once from those before it:

            start[k] = max(start[k-1] + cycles[k-1], ready[k])

        a running maximum once the cycles so far are subtracted."""
        into: list[list[int]] = [[] for _ in self.actors]
        for number, channel in enumerate(self.channels):
            into[channel.target[0]].append(number)
        starts = [np.zeros(actor.firings * frames, dtype=np.int64) for actor in self.actors]
        for index in nx.topological_sort(self._ways):
            actor, ready = self.actors[index], starts[index]
            for number in into[index]:
                source = self.channels[number].source[0]
                which, wait = self._needs[number]
                firings = which + np.arange(frames)[:, None] * self.actors[source].firings
                np.maximum(ready, (starts[source][firings] + wait).ravel(), out=ready)
            before = np.concatenate([[0], np.cumsum(np.tile(actor.cycles, frames))[:-1]])
            starts[index] = np.maximum.accumulate(ready - before) + before
        return Execution(starts, ())

    def occupancy(self, channel: int, execution: Execution) -> int:
        """The most elements that ever waited in a channel, besides those in its consumer."""
        found = self.channels[channel]
        producer, consumer = self.actors[found.source[0]], self.actors[found.target[0]]
        intake = consumer.intakes[found.target[1]]
        given, total = self._given(found), int(self._given(found)[-1])
        out = _times(execution.starts[found.source[0]], producer.cycles, producer.latency)
        freed_at = _times(execution.starts[found.target[0]], consumer.cycles, 0)
        produced = _over_frames(given, out.size, total)
        released = _over_frames(intake.freed, freed_at.size, total)
        before = np.searchsorted(freed_at, out, side="right")
        gone = np.where(before > 0, released[np.maximum(before - 1, 0)], 0)
        return max(0, int((produced - gone).max()) - intake.room)


class _Run:
    """An actor under execution.

    Attributes:
        starts: of its firings so far.
        releases: when each firing was over and its results had found a place.
    """

    def __init__(self, actor: Schedule, frames: int) -> None:
        self.cycles: list[int] = actor.cycles.tolist()
        self.latency = actor.latency
        self.firings = len(self.cycles)
        self.count = frames * self.firings
        self.starts: list[int] = []
        self.releases: list[int] = []
        self.sources: list[tuple[_Run, list[int], int, list[tuple[int, int]]]] = []
        self.targets: list[tuple[_Run, list[int], int, list[Place]]] = []
        self.waiters: list[_Run] = []

    def advance(self) -> bool:
        """Go on as far as the known times allow, then wait for the actors that it needs; returns
        whether it went on at all."""
        starts, releases, cycles = self.starts, self.releases, self.cycles
        sources, targets, latency, firings = self.sources, self.targets, self.latency, self.firings
        before = len(starts) + len(releases)
        frame, index = divmod(len(releases), firings)
        while len(releases) < self.count:
            if len(starts) == len(releases):
                time = releases[-1] if releases else 0
                for source, times, per_frame, needs in sources:
                    which, wait = needs[index]
                    if which == NOTHING:
                        continue
                    which += frame * per_frame
                    if which >= len(times):
                        source.waiters.append(self)
                        return len(starts) + len(releases) > before
                    time = max(time, times[which] + wait)
                starts.append(time)
            time = starts[-1] + cycles[index]
            for target, times, per_frame, space in targets:
                back, which = space[index]
                which += (frame - back) * per_frame
                if which < 0:
                    continue
                if which >= len(times):
                    target.waiters.append(self)
                    return len(starts) + len(releases) > before
                time = max(time, times[which] - latency)
            releases.append(time)
            index += 1
            if index == firings:
                frame, index = frame + 1, 0
        return len(starts) + len(releases) > before


def _times(starts: IntArray, cycles: IntArray, latency: int) -> IntArray:
    repeated = np.tile(cycles, -(-starts.size // cycles.size))[: starts.size]
    times: IntArray = starts + repeated + latency
    return times


def _over_frames(totals: IntArray, count: int, total: int) -> IntArray:
    frames = -(-count // totals.size)
    whole = (totals[None, :] + total * np.arange(frames)[:, None]).ravel()
    result: IntArray = whole[:count]
    return result
