# SPDX-License-Identifier: Apache-2.0
"""Self-timed execution of a stream graph: every node fires as soon as it can.

A firing starts when the node's last one is done, its elements have come, and there is room for
what it gives. The times of all firings follow from each other (max-plus); they are found in one
sweep, without stepping through cycles. A firing is over when its results have found a place, in
a FIFO, in the consumer or, being taken in as they come, in the consumer's own pipeline.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from qnnc.compiler.dataflow.schedule import Schedule
from qnnc.compiler.ir.facts import IntArray

UNBOUNDED = 1 << 60
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
        stuck: actors that could not go on, in a deadlock.
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
        self._needs = [self._needed(channel) for channel in channels]

    def _given(self, channel: Channel) -> IntArray:
        return self.actors[channel.source[0]].given[channel.source[1]]

    def _needed(self, channel: Channel) -> list[int]:
        """For each firing of the consumer the producer's firing that it waits for."""
        intake = self.actors[channel.target[0]].intakes[channel.target[1]]
        found: list[int] = np.searchsorted(self._given(channel), intake.needed).tolist()
        return found

    def _space(self, channel: Channel, capacity: int) -> list[Place]:
        """For each firing of the producer, which firing of the consumer makes room for what it
        gives; the first entry stands for the start of a frame."""
        intake = self.actors[channel.target[0]].intakes[channel.target[1]]
        given = np.concatenate([[0], self._given(channel)])
        total = int(given[-1])
        must_be_free = given - capacity - intake.room
        back = -((must_be_free - 1) // total)
        rest = must_be_free + back * total
        index = np.searchsorted(intake.freed, rest)
        return list(zip(back.tolist(), index.tolist(), strict=True))

    def _streams(self, channel: Channel) -> bool:
        """The consumer uses up elements as they come, without waiting for a whole firing's."""
        intake = self.actors[channel.target[0]].intakes[channel.target[1]]
        return intake.room == 0 and bool(np.array_equal(intake.needed, intake.freed))

    def run(self, capacities: Sequence[int], frames: int) -> Execution:
        """Execute some frames.

        Args:
            capacities: elements that each channel holds, besides the room in its consumer.
        """
        runs = [_Run(actor, frames) for actor in self.actors]
        neighbours: list[set[int]] = [set() for _ in runs]
        for channel, needs, capacity in zip(self.channels, self._needs, capacities, strict=True):
            source, target = channel.source[0], channel.target[0]
            runs[target].sources.append((runs[source], needs, self._streams(channel)))
            if capacity < UNBOUNDED:
                runs[source].targets.append((runs[target], self._space(channel, capacity)))
            neighbours[source].add(target)
            neighbours[target].add(source)
        waiting, queued = deque(range(len(runs))), [True] * len(runs)
        while waiting:
            actor = waiting.popleft()
            queued[actor] = False
            if runs[actor].advance():
                for other in neighbours[actor]:
                    if not queued[other]:
                        queued[other] = True
                        waiting.append(other)
        stuck = tuple(i for i, run in enumerate(runs) if len(run.starts) < run.count)
        return Execution([np.asarray(run.starts, dtype=np.int64) for run in runs], stuck)

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
        self.sources: list[tuple[_Run, list[int], bool]] = []
        self.targets: list[tuple[_Run, list[Place]]] = []

    def advance(self) -> bool:
        """Go on as far as what is known by now allows; returns whether it did at all."""
        before = len(self.starts) + len(self.releases)
        while self._fire():
            self._release()
        while self._release():
            pass
        return len(self.starts) + len(self.releases) > before

    def _fire(self) -> bool:
        number = len(self.starts)
        if number == self.count:
            return False
        frame, index = divmod(number, self.firings)
        time = self.starts[-1] + self.cycles[index - 1] if number else 0
        for source, needs, streams in self.sources:
            which = needs[index]
            other = frame * source.firings + which
            if other >= len(source.starts):
                return False
            whole = source.cycles[which]
            if streams:  # the first elements are enough, if the last come in time
                whole = max(0, whole - self.cycles[index])
            time = max(time, source.starts[other] + whole + source.latency)
        placed = self._placed(frame, index)
        if placed is None:
            return False
        self.starts.append(max(time, placed))
        return True

    def _release(self) -> bool:
        number = len(self.releases)
        if number == len(self.starts):
            return False
        frame, index = divmod(number, self.firings)
        placed = self._placed(frame, index + 1)
        if placed is None:
            return False
        self.releases.append(max(self.starts[number] + self.cycles[index], placed))
        return True

    def _placed(self, frame: int, index: int) -> int | None:
        """When all that was given before firing `index` had left the pipeline, None if that is
        not known yet."""
        time = 0
        for target, space in self.targets:
            back, which = space[index]
            other = (frame - back) * target.firings + which
            if other < 0:
                continue
            if other >= len(target.releases):
                return None
            time = max(time, target.releases[other] - self.latency)
        return time


def _times(starts: IntArray, cycles: IntArray, latency: int) -> IntArray:
    repeated = np.tile(cycles, -(-starts.size // cycles.size))[: starts.size]
    times: IntArray = starts + repeated + latency
    return times


def _over_frames(totals: IntArray, count: int, total: int) -> IntArray:
    frames = -(-count // totals.size)
    whole = (totals[None, :] + total * np.arange(frames)[:, None]).reshape(-1)
    result: IntArray = whole[:count]
    return result
