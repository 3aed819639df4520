# SPDX-License-Identifier: Apache-2.0
"""Self-timed execution of a stream graph: every node fires as soon as it can.

A firing starts when the node's last one is done, its elements have come, and there is room for
what it gives. The times of all firings follow from each other (max-plus); they are found in one
sweep, without stepping through cycles. Each firing is looked at once.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from qnnc.compiler.dataflow.schedule import Schedule
from qnnc.compiler.ir.facts import IntArray

UNBOUNDED = 1 << 60


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

    def _space(self, channel: Channel, capacity: int) -> list[tuple[int, int]]:
        """For each firing of the producer, how many frames back and which firing of the
        consumer must be done before there is room for what it gives."""
        intake = self.actors[channel.target[0]].intakes[channel.target[1]]
        given = self._given(channel)
        total = int(given[-1])
        must_be_free = given - capacity - intake.room - self._under_way(channel)
        back = -((must_be_free - 1) // total)
        rest = must_be_free + back * total
        index = np.searchsorted(intake.freed, rest)
        return list(zip(back.tolist(), index.tolist(), strict=True))

    def _under_way(self, channel: Channel) -> int:
        """Elements that the producer's own pipeline and output buffer hold."""
        producer, given = self.actors[channel.source[0]], self._given(channel)
        firings = math.ceil(producer.latency / int(producer.cycles.min()))
        return firings * int(np.diff(given, prepend=0).max())

    def run(self, capacities: Sequence[int], frames: int) -> Execution:
        """Execute some frames.

        Args:
            capacities: elements that each channel holds, besides the room in its consumer.
        """
        count = len(self.actors)
        waits: list[list[tuple[int, list[int]]]] = [[] for _ in range(count)]
        rooms: list[list[tuple[int, list[tuple[int, int]]]]] = [[] for _ in range(count)]
        neighbours: list[set[int]] = [set() for _ in range(count)]
        for channel, needs, capacity in zip(self.channels, self._needs, capacities, strict=True):
            source, target = channel.source[0], channel.target[0]
            waits[target].append((source, needs))
            if capacity < UNBOUNDED:
                rooms[source].append((target, self._space(channel, capacity)))
            neighbours[source].add(target)
            neighbours[target].add(source)
        starts: list[list[int]] = [[] for _ in range(count)]
        cycles = [actor.cycles.tolist() for actor in self.actors]
        waiting, queued = deque(range(count)), [True] * count
        while waiting:
            actor = waiting.popleft()
            queued[actor] = False
            if self._advance(actor, frames, starts, cycles, waits[actor], rooms[actor]):
                for other in neighbours[actor]:
                    if not queued[other]:
                        queued[other] = True
                        waiting.append(other)
        stuck = tuple(
            i for i, actor in enumerate(self.actors) if len(starts[i]) < frames * actor.firings
        )
        return Execution([np.asarray(times, dtype=np.int64) for times in starts], stuck)

    def _advance(
        self,
        actor: int,
        frames: int,
        starts: list[list[int]],
        cycles: list[list[int]],
        waits: list[tuple[int, list[int]]],
        rooms: list[tuple[int, list[tuple[int, int]]]],
    ) -> bool:
        """Fire as often as what is known by now allows; returns whether it did at all."""
        mine, durations = starts[actor], cycles[actor]
        firings = len(durations)
        first = len(mine)
        sources = [
            (starts[s], needs, cycles[s], self.actors[s].latency, len(cycles[s]))
            for s, needs in waits
        ]
        targets = [(starts[t], space, cycles[t], len(cycles[t])) for t, space in rooms]
        while len(mine) < frames * firings:
            frame, index = divmod(len(mine), firings)
            time = mine[-1] + durations[index - 1] if mine else 0
            ready = True
            for times, needs, lengths, latency, per_frame in sources:
                which = needs[index]
                number = frame * per_frame + which
                if number >= len(times):
                    ready = False
                    break
                time = max(time, times[number] + lengths[which] + latency)
            if ready:
                for times, space, lengths, per_frame in targets:
                    back, which = space[index]
                    number = (frame - back) * per_frame + which
                    if number < 0:
                        continue
                    if number >= len(times):
                        ready = False
                        break
                    # its elements leave while the consumer takes them in
                    time = max(time, times[number] + lengths[which] - durations[index])
            if not ready:
                break
            mine.append(time)
        return len(mine) > first

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


def _times(starts: IntArray, cycles: IntArray, latency: int) -> IntArray:
    repeated = np.tile(cycles, -(-starts.size // cycles.size))[: starts.size]
    times: IntArray = starts + repeated + latency
    return times


def _over_frames(totals: IntArray, count: int, total: int) -> IntArray:
    frames = -(-count // totals.size)
    whole = (totals[None, :] + total * np.arange(frames)[:, None]).reshape(-1)
    result: IntArray = whole[:count]
    return result
