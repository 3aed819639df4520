# SPDX-License-Identifier: Apache-2.0
"""Self-timed execution and FIFO depths, against plain restatements of what they mean."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.cnn_networks import mobilenet
from qnnc.compiler.buffering import depths
from qnnc.compiler.buffering.selftimed import UNBOUNDED, Channel, Graph
from qnnc.compiler.dataflow.schedule import Intake, Schedule, cumulative
from qnnc.compiler.dataflow.stream_graph import stream_graph
from qnnc.compiler.passes.fit_budget import remove_inserted
from qnnc.compiler.passes.insert_fifos import InsertFifos
from qnnc.compiler.passes.insert_width_converters import InsertWidthConverters
from qnnc.compiler.passes.set_folding import SetFolding
from tests.support.build import compile_proto

FRAMES = 3


def parts(draw: st.DrawFn, total: int, firings: int, least: int) -> list[int]:
    """A frame's elements, cut up among the firings."""
    counts = [least] * firings
    for _ in range(total - least * firings):
        counts[draw(st.integers(0, firings - 1))] += 1
    return counts


@st.composite
def actors(draw: st.DrawFn, inputs: Sequence[int], outputs: Sequence[int]) -> Schedule:
    """A schedule that takes and gives so many elements per frame: firings that give nothing among
    them, inputs needed before they are freed, room to take ahead."""
    firings = draw(st.integers(1, 4))
    cycles = np.asarray([draw(st.integers(1, 5)) for _ in range(firings)])
    intakes = []
    for total in inputs:
        freed = cumulative(parts(draw, total, firings, 0))
        freed[-1] = total
        ahead = [draw(st.integers(0, 2)) for _ in range(firings)]
        needed = np.maximum.accumulate(np.minimum(total, np.maximum(1, freed + ahead)))
        needed[-1] = total
        if draw(st.booleans()):
            needed = np.maximum(freed, 1)
            freed = needed
        intakes.append(Intake(needed, freed, draw(st.integers(0, 3))))
    given_ = []
    for total in outputs:
        given_.append(cumulative(parts(draw, total, firings, 0)))
    return Schedule(cycles, draw(st.integers(0, 3)), tuple(intakes), tuple(given_))


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[Schedule], list[Channel]]:
    """A chain of two or three, or a fork and a join."""
    sizes = [draw(st.integers(1, 6)) for _ in range(4)]
    a, b, c, d = sizes
    if draw(st.booleans()):
        chain = [draw(actors([], [a])), draw(actors([a], [b])), draw(actors([b], []))]
        return chain, [Channel((0, 0), (1, 0)), Channel((1, 0), (2, 0))]
    fork = [
        draw(actors([], [a, b])),
        draw(actors([a], [c])),
        draw(actors([b], [d])),
        draw(actors([c, d], [])),
    ]
    ways = [((0, 0), (1, 0)), ((0, 1), (2, 0)), ((1, 0), (3, 0)), ((2, 0), (3, 1))]
    return fork, [Channel(*way) for way in ways]


def executed(
    schedules: Sequence[Schedule], channels: Sequence[Channel], capacities: Sequence[int]
) -> tuple[list[list[int | None]], list[list[int | None]]]:
    """Starts and ends of all firings by repeated relaxation, element by element; None where a
    firing never comes to be."""
    counts = [s.firings * FRAMES for s in schedules]
    starts: list[list[int | None]] = [[None] * n for n in counts]
    ends: list[list[int | None]] = [[None] * n for n in counts]

    def totals(per_frame: np.ndarray, n: int) -> int:
        """Elements after firing n, over all frames."""
        frame, index = divmod(n, len(per_frame))
        return int(frame * per_frame[-1] + per_frame[index])

    def arrival(channel: Channel, element: int, early: int) -> int | None:
        """When an element, counted from 1 over all frames, is there."""
        actor, port = channel.source
        given_ = schedules[actor].given[port]
        n = next(n for n in range(counts[actor]) if totals(given_, n) >= element)
        begun = starts[actor][n]
        if begun is None:
            return None
        before = totals(given_, n - 1) if n else 0
        share = (element - before) / (totals(given_, n) - before)
        cycles = int(schedules[actor].cycles[n % schedules[actor].firings])
        return begun + max(0, math.ceil(share * cycles) - early) + schedules[actor].latency

    def room(channel: Channel, elements: int, capacity: int) -> int | None:
        """When the consumer has freed enough for so many elements to be out; -1 if from the
        start."""
        actor, port = channel.target
        intake = schedules[actor].intakes[port]
        must = elements - capacity - intake.room
        if must <= 0:
            return -1
        n = next(n for n in range(counts[actor]) if totals(intake.freed, n) >= must)
        return ends[actor][n]

    changed = True
    while changed:
        changed = False
        for a, schedule in enumerate(schedules):
            for n in range(counts[a]):
                index, before = n % schedule.firings, ends[a][n - 1] if n else 0
                times: list[int | None] = [before]
                for channel in channels:
                    if channel.target[0] == a:
                        intake = schedule.intakes[channel.target[1]]
                        used = intake.room == 0 and np.array_equal(intake.needed, intake.freed)
                        early = int(schedule.cycles[index]) if used else 0
                        times.append(arrival(channel, totals(intake.needed, n), early))
                begun = None if None in times else max(t for t in times if t is not None)
                limits: list[int | None] = []
                if begun is not None:
                    limits.append(begun + int(schedule.cycles[index]))
                for channel, capacity in zip(channels, capacities, strict=True):
                    if channel.source[0] == a and capacity < UNBOUNDED:
                        free = room(channel, totals(schedule.given[channel.source[1]], n), capacity)
                        limits.append(None if free is None else free - schedule.latency)
                known = begun is not None and None not in limits
                end = max(t for t in limits if t is not None) if known else None
                if (begun, end) != (starts[a][n], ends[a][n]):
                    starts[a][n], ends[a][n], changed = begun, end, True
    return starts, ends


@settings(max_examples=120, deadline=None)
@given(graphs(), st.lists(st.sampled_from([0, 1, 2, 4, UNBOUNDED]), min_size=4, max_size=4))
def test_firings_come_as_soon_as_they_can(
    graph: tuple[list[Schedule], list[Channel]], capacities: list[int]
) -> None:
    schedules, channels = graph
    capacities = capacities[: len(channels)]
    found = Graph(schedules, channels).run(capacities, FRAMES)
    starts, ends = executed(schedules, channels, capacities)
    for mine, theirs in zip(found.starts, starts, strict=True):
        reached = [t for t in theirs if t is not None]
        assert mine.tolist() == reached
    assert set(found.stuck) == {i for i, times in enumerate(ends) if None in times} - {
        i for i, times in enumerate(starts) if None not in times
    }


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_what_waited_is_a_capacity_that_costs_nothing(
    graph: tuple[list[Schedule], list[Channel]],
) -> None:
    """FIFOs as deep as what waited in them without bounds leave every firing where it was."""
    schedules, channels = graph
    prepared = Graph(schedules, channels)
    free = prepared.run([UNBOUNDED] * len(channels), FRAMES)
    found = [prepared.occupancy(i, free) for i in range(len(channels))]
    held = prepared.run(found, FRAMES)
    assert not held.stuck
    for mine, theirs in zip(held.starts, free.starts, strict=True):
        assert mine.tolist() == theirs.tolist()


def steady(firings: int, cycles: int, taken: int, given_: int, room: int = 0) -> Schedule:
    """Equal firings."""
    numbers = np.arange(1, firings + 1)
    intakes = (Intake(numbers * taken, numbers * taken, room),) if taken else ()
    outputs = (numbers * given_,) if given_ else ()
    return Schedule(np.full(firings, cycles), 0, intakes, outputs)


@pytest.mark.parametrize(("slow", "waiting"), [(1, 0), (2, 2), (4, 3)])
def test_a_burst_waits(slow: int, waiting: int) -> None:
    """Four elements, one per cycle, to a consumer that takes one in `slow` cycles, in one frame."""
    graph = Graph([steady(4, 1, 0, 1), steady(4, slow, 1, 0)], [Channel((0, 0), (1, 0))])
    execution = graph.run([UNBOUNDED], 1)
    assert graph.occupancy(0, execution) == waiting


def test_the_interval_is_that_of_the_last_frame() -> None:
    graph = Graph([steady(4, 1, 0, 1), steady(2, 5, 2, 0)], [Channel((0, 0), (1, 0))])
    execution = graph.run([2], FRAMES)
    assert execution.interval(1, 2) == 10
    assert execution.interval(0, 4) == 10
    assert execution.stuck == ()
    assert graph.run([0], FRAMES).stuck == (0, 1), "two elements at once, and no room for one"


def test_layers_of_a_few_pixels_keep_the_pace() -> None:
    """Each waits for the first pixels of a frame, which the one before gives late; a FIFO of one
    vector between them lets them work side by side."""
    network = mobilenet(image=8, blocks=((16, 1),) * 4, classes=4)
    model = compile_proto(network, samples=1, each=False)[0]
    remove_inserted(model)
    SetFolding(fps=60_000, budget=1.0).run(model)
    InsertWidthConverters().run(model)
    InsertFifos().run(model)
    graph = stream_graph(model)
    slowest = max(node.cycles(node.folding()) for node in graph.nodes)
    schedules, execution = depths.executed(graph)
    last = len(schedules) - 1
    assert execution.interval(last, schedules[last].firings) <= depths.SLACK * slowest
