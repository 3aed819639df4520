# SPDX-License-Identifier: Apache-2.0
"""When each node works on each frame, by the schedules, without simulating the RTL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from qnnc.compiler.buffering.depths import FRAMES, executed
from qnnc.compiler.dataflow.stream_graph import StreamGraph


@dataclass(frozen=True)
class Work:
    """A node's work on the first frames that come one right after the other.

    Attributes:
        starts: cycle at which it takes the first element of each frame.
        ends: cycle at which it has given the last one.
        cycles: per frame, of those in between in which it is not waiting.
    """

    starts: tuple[int, ...]
    ends: tuple[int, ...]
    cycles: int


def works(graph: StreamGraph) -> list[Work]:
    """What every node does when frames come as fast as they are taken; an empty list where the
    schedules do not run to their end."""
    if not graph.inner:
        return []
    schedules, execution = executed(graph)
    if execution.stuck:
        return []
    found = []
    for schedule, starts in zip(schedules, execution.starts, strict=False):  # nodes, then sources
        rows = starts.reshape(FRAMES, -1)
        last = rows[:, -1] + int(schedule.cycles[-1]) + schedule.latency
        found.append(
            Work(tuple(map(int, rows[:, 0])), tuple(map(int, last)), int(np.sum(schedule.cycles)))
        )
    return found


def latency(graph: StreamGraph) -> int | None:
    """Cycles from the first word of a frame in to its last word out; None where not known."""
    return latency_of(graph, works(graph))


def latency_of(graph: StreamGraph, found: Sequence[Work]) -> int | None:
    """`latency`, where the nodes' work is at hand."""
    ends = [found[e.source.node].ends[0] for e in graph.outputs if e.source] if found else []
    return max(ends, default=None)
