# SPDX-License-Identifier: Apache-2.0
"""Foldings within what memory gives, against trying all of them; FIFOs as deep as they must be."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.cnn_networks import resnet8
from qnnc.compiler.buffering.depths import FRAMES, executed, pace_of
from qnnc.compiler.buffering.timing import latency, latency_of, works
from qnnc.compiler.dataflow.folding import PEFolding
from qnnc.compiler.dataflow.plumbing import Fifo
from qnnc.compiler.dataflow.stream_graph import StreamGraph, stream_graph
from qnnc.compiler.dataflow.width_conversion import converter_cycles
from qnnc.compiler.folding.goal import Goal
from qnnc.compiler.folding.options import FAR, Option, options_of
from qnnc.compiler.folding.problem import Choice, Limits, MemoryStream, solve, total_resources
from qnnc.compiler.folding.prune import Link, pruned
from qnnc.compiler.memory_ports import MAX_STREAMS, MemoryPorts, word_bytes
from qnnc.compiler.resources import Resources
from tests.support.build import compile_with_verifier
from tests.test_folding import DEVICE, PRICES, Listed, price

BUDGET = Resources(900, 900, 9, 9)


@st.composite
def problems(draw: st.DrawFn) -> tuple[list[list[Option]], list[Link], Limits]:
    """A chain of two or three nodes, some of whose weights may come from memory, as the frames
    do."""
    count = draw(st.integers(1, 3))
    lanes = st.sampled_from([1, 2, 4])
    numbers = st.integers(0, 200)
    choices = [
        [
            Option(
                PEFolding(PE=i + 1),
                draw(st.integers(1, 10)),
                Resources(draw(numbers), draw(numbers), draw(st.integers(0, 3)), 0),
                (draw(lanes),),
                (draw(lanes),),
                draw(st.sampled_from([0.0, 8.0, 24.0, 40.0])),
            )
            for i in range(draw(st.integers(1, 4)))
        ]
        for _ in range(count)
    ]
    links = [Link((i, 0), (i + 1, 0), 8, 4) for i in range(count - 1)]
    streams = [MemoryStream(0, 0, 16, 4), *(MemoryStream(i, None) for i in range(count))]
    streams.append(MemoryStream(count - 1, 0, 8, draw(st.sampled_from([4, 9])), written=True))
    ports = MemoryPorts(
        draw(st.integers(1, 3)),
        draw(st.sampled_from([16.0, 31.9, 32.0, 40.0, 64.0, math.inf])),
        draw(st.sampled_from([40.0, 72.0, 96.0, 200.0, math.inf])),
    )
    return choices, links, Limits(streams, ports, draw(st.booleans()))


def sizes(chosen: Sequence[Option], limits: Limits) -> tuple[list[float], list[float]]:
    """Bytes per frame that each stream reads and writes."""
    reads, writes = [], []
    for s in limits.streams:
        option = chosen[s.node]
        if s.port is None:
            size = option.memory_bytes
        else:
            lane = (option.lanes_out if s.written else option.lanes_in)[s.port]
            size = s.elements / lane * word_bytes(lane * s.bits)
        assert s.bytes(option) == size
        (writes if s.written else reads).append(size)
    return reads, writes


def fits(chosen: Sequence[Option], limits: Limits) -> bool:
    reads, writes = sizes(chosen, limits)
    memory = limits.memory
    if sum(reads) + sum(writes) > memory.rate or sum(writes) > memory.port_rate:
        return False
    if sum(reads) > memory.ports * memory.port_rate or max(reads) > memory.port_rate:
        return False
    if not limits.split:
        return True
    return any(
        all(
            sum(r for r, p in zip(reads, ports, strict=True) if p == port) <= memory.port_rate
            for port in range(memory.ports)
        )
        for ports in itertools.product(range(memory.ports), repeat=len(reads))
    )


def cost(chosen: Sequence[Option], links: Sequence[Link], limits: Limits) -> float:
    """Resources, and the share of memory's rate that weights take, as a share of the budget."""
    fetched = sum(option.memory_bytes for option in chosen)
    share = fetched / limits.memory.total if limits.memory.rate < math.inf else 0.0
    return price(total_resources(chosen, links)) + share * price(BUDGET)


@settings(max_examples=50, deadline=None)
@given(problem=problems(), most=st.integers(3, 10))
def test_the_cheapest_within_what_memory_gives(
    problem: tuple[list[list[Option]], list[Link], Limits], most: int
) -> None:
    choices, links, limits = problem
    possible = []
    for chosen in itertools.product(*choices):
        ends = [(chosen[k.source[0]].lanes_out[0], chosen[k.target[0]].lanes_in[0]) for k in links]
        slow = any(
            p != q and converter_cycles(k.elements, p, q) > most
            for k, (p, q) in zip(links, ends, strict=True)
        )
        if slow or any(option.cycles > most for option in chosen):
            continue
        if total_resources(chosen, links).exceeding(BUDGET) or not fits(chosen, limits):
            continue
        possible.append(cost(chosen, links, limits))
    found = solve(choices, links, most, BUDGET, PRICES, limits)
    probed = solve(choices, links, most, BUDGET, PRICES, limits, probe=True)
    assert (found is not None) == (probed is not None) == bool(possible)
    for choice in (found, probed):
        if choice is not None:
            assert fits(choice.options, limits)
            assert choice.resources == total_resources(choice.options, links)
    if found is not None:
        assert cost(found.options, links, limits) <= min(possible) * 1.0002 + 1e-6
    # what gives way to something else is never needed
    fitting = [[o for o in node if o.cycles <= most] for node in choices]
    moved = [lambda o, i=i: _moved(o, i, limits) for i in range(len(choices))]
    kept = pruned(fitting, links, most, PRICES, moved) if all(fitting) else choices
    again = solve(kept, links, most, BUDGET, PRICES, limits)
    assert (again is None) == (found is None)
    if again is not None:
        assert cost(again.options, links, limits) <= min(possible) * 1.0002 + 1e-6


def _moved(option: Option, node: int, limits: Limits) -> list[float]:
    own = [s for s in limits.streams if s.node == node and s.port is not None]
    return [s.bytes(option) for s in own]


@pytest.mark.parametrize("frames", [MAX_STREAMS - 2, MAX_STREAMS - 1])
def test_no_more_streams_than_the_shell_has_registers_for(frames: int) -> None:
    """Two nodes whose weights are better in memory: one may, if there is room for one."""
    node = [
        Option(PEFolding(PE=1), 1, Resources(900, 0, 0, 0), (1,), (1,)),
        Option(PEFolding(PE=2), 1, Resources(1, 0, 0, 0), (1,), (1,), 8.0),
    ]
    streams = [MemoryStream(0, 0, 1, 1) for _ in range(frames)]
    limits = Limits([*streams, MemoryStream(0, None), MemoryStream(1, None)], MemoryPorts())
    found = solve([node, node], [Link((0, 0), (1, 0), 1, 1)], 9, DEVICE, PRICES, limits)
    assert found is not None
    fetched = [option.memory_bytes > 0 for option in found.options]
    assert sum(fetched) == min(2, MAX_STREAMS - frames)


class InLogic(Listed):
    """Its second folding has the weights in the logic."""

    def in_logic(self, folding: PEFolding) -> bool:
        return folding.PE == 1


@pytest.mark.parametrize(("most", "kept"), [(10 * FAR, [0, 1]), (10 * FAR + 1, [0])])
def test_weights_in_the_logic_that_are_far_too_fast_are_not_looked_at(
    most: int, kept: list[int]
) -> None:
    node: Any = InLogic(((20, Resources(9, 0, 0, 0), 1, 0.0), (10, Resources(99, 0, 0, 0), 2, 0.0)))
    assert [o.folding.PE for o in options_of(node, most)] == kept  # type: ignore[attr-defined]
    assert len(options_of(node)) == 2
    assert [o.folding.PE for o in options_of(node, in_logic=False)] == [0]  # type: ignore[attr-defined]
    hurried = options_of(node, 26, hurry=1.3)
    assert [o.cycles for o in hurried] == [26, 13]
    assert [o.cycles for o in options_of(node, 25, hurry=1.3)] == [13]
    assert [o.folding.PE for o in options_of(node, fixed={"PE": 1})] == [1]  # type: ignore[attr-defined]


def test_what_a_goal_leaves_and_what_it_costs() -> None:
    goal = Goal(DEVICE, Resources(100, 200, 30, 40), 50.0, fps=1000.0, lut_price=2.0)
    goal = replace(goal, reserved=Resources(10, 20, 3, 4))
    assert goal.left == Resources(90, 180, 27, 36)
    assert goal.max_cycles == 50_000 and goal.reached(50_000) == 1000.0
    prices = goal.prices
    assert prices.LUT == 2 / 53200 and pytest.approx(0.1 / 106400) == prices.FF
    assert prices.BRAM18 == 1 / 280 and prices.DSP == 1 / 220
    assert replace(goal, fps=None).max_cycles is None
    assert Choice((), Resources()).gap == 0


# --- FIFOs --------------------------------------------------------------------------------------


@cache
def residual() -> ir.Model:
    """A network whose branches are of different delay, with the FIFOs that it was given."""
    model, _ = compile_with_verifier(resnet8(3, image=8), samples=2, fps=20_000.0)
    return model


def interval(graph: StreamGraph) -> float:
    """Cycles between the last frames of what ends the graph; infinity where it stands still."""
    schedules, execution = executed(graph)
    if execution.stuck:
        return math.inf
    ends = [e.source.node for e in graph.outputs if e.source is not None]
    return max(execution.interval(i, schedules[i].firings) for i in ends)


def test_fifos_are_as_deep_as_the_pace_needs_and_hardly_deeper() -> None:
    graph = stream_graph(residual())
    pace = pace_of(graph)
    assert pace == max(node.cycles(node.folding()) for node in graph.nodes)
    assert interval(graph) <= 1.01 * pace
    fifos = [node for node in graph.nodes if isinstance(node, Fifo)]
    deepest = max(fifos, key=lambda node: node.depth)
    before = deepest.depth
    assert before > 8
    try:
        set_depth(deepest, before // 2)
        assert interval(stream_graph(residual())) > 1.01 * pace
        set_depth(deepest, 1)
        assert interval(stream_graph(residual())) > 1.2 * pace
    finally:
        set_depth(deepest, before)


def set_depth(node: Any, depth: int) -> None:
    node.depth = depth


def test_when_each_node_works_on_each_frame() -> None:
    graph = stream_graph(residual())
    schedules, execution = executed(graph)
    found = works(graph)
    assert len(found) == len(graph.nodes)
    for work, schedule, starts in zip(found, schedules, execution.starts, strict=False):
        assert work.starts == tuple(starts[:: schedule.firings].tolist())
        assert len(work.starts) == len(work.ends) == FRAMES
        last = starts[schedule.firings - 1 :: schedule.firings]
        done = last + schedule.cycles[-1] + schedule.latency
        assert work.ends == tuple(done.tolist())
        assert work.cycles == schedule.cycles.sum()
        assert np.all(np.diff(work.starts) >= work.cycles)
    ends = [found[e.source.node].ends[0] for e in graph.outputs if e.source is not None]
    assert latency(graph) == latency_of(graph, found) == max(ends)
    assert latency_of(graph, []) is None
