# SPDX-License-Identifier: Apache-2.0
"""What a folding is to reach: a throughput, or as much as fits."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, replace

import numpy as np

from qnnc.compiler.dataflow import DataflowNode
from qnnc.compiler.dataflow.memory_traffic import boundary_stream
from qnnc.compiler.dataflow.stream_graph import Edge, StreamGraph
from qnnc.compiler.errors import TargetError, quote
from qnnc.compiler.folding.by_hand import Fixed
from qnnc.compiler.folding.options import FREE, Option, options_of
from qnnc.compiler.folding.problem import (
    BrokenOffError,
    Choice,
    Limits,
    MemoryStream,
    solve,
)
from qnnc.compiler.folding.prune import Link
from qnnc.compiler.ir.facts import sources
from qnnc.compiler.memory_ports import MemoryPorts, Traffic, assign
from qnnc.compiler.resources import RESOURCE_NAMES, Resources

MAX_ORIGINS = 3
BROKEN_OFF = ", as far as the search came before it was broken off"
UNBOUNDED = MemoryPorts()
UNLIMITED = Resources(math.inf, math.inf, math.inf, math.inf)
NOTHING = Resources()


@dataclass(frozen=True)
class Goal:
    """What to solve for.

    Attributes:
        device: what the device has; sets the price of each resource.
        budget: what the accelerator may take.
        clock_mhz: clock of the accelerator.
        fps: frames per second to reach, or None for the fastest that fits the budget.
        memory: the ports to off-chip memory.
        reserved: of the budget, for FIFOs, which are known only once nodes are folded.
        hurry: times which the cycles of nodes in recurrences count: those of one step follow each
            other, so that each may take a share of the step only.
        lut_price: what a LUT costs, as a multiple of its share of the device.
        in_logic: weights may be part of the logic.
    """

    device: Resources
    budget: Resources
    clock_mhz: float
    _: KW_ONLY
    fps: float | None = None
    memory: MemoryPorts = UNBOUNDED
    reserved: Resources = NOTHING
    hurry: float = 1.0
    lut_price: float = 1.0
    in_logic: bool = True

    @property
    def left(self) -> Resources:
        """What the nodes may take."""
        return self.budget.less(self.reserved)

    @property
    def max_cycles(self) -> int | None:
        """Cycles per frame that the target leaves."""
        if self.fps is None:
            return None
        return math.floor(self.clock_mhz * 1e6 / self.fps)

    def reached(self, cycles: float) -> float:
        """Frames per second at `cycles` per frame."""
        return self.clock_mhz * 1e6 / cycles

    @property
    def prices(self) -> Resources:
        """Cost of one of each: its share of the device, flip-flops at a tenth of that."""
        d = self.device
        return Resources(self.lut_price / d.LUT, 0.1 / d.FF, 1 / d.BRAM18, 1 / d.DSP)


@dataclass
class _Problem:
    """What all attempts to solve have in common.

    Attributes:
        undecided: cycles per frame of the last try that ended at the search's limit; 0 for none.
    """

    links: Sequence[Link]
    goal: Goal
    streams: Sequence[MemoryStream]
    undecided: int = 0

    def solve(
        self,
        options: Sequence[Sequence[Option]],
        max_cycles: int,
        *,
        budget: Resources | None = None,
        prices: Resources | None = None,
        probe: bool = False,
    ) -> Choice | None:
        """The cheapest choice, or if `probe` any, within `max_cycles`, the goal's budget and the
        memory's bandwidth, which a program that takes weights from there shares with the frames;
        None also where the search ends at its limit, which `undecided` then says.

        Ports are looked at one by one only if what is best with their sum cannot be spread over
        them."""
        try:
            return self._solve(options, max_cycles, budget, prices, probe)
        except BrokenOffError:
            self.undecided = max_cycles
            return None

    def _solve(
        self,
        options: Sequence[Sequence[Option]],
        max_cycles: int,
        budget: Resources | None,
        prices: Resources | None,
        probe: bool,
    ) -> Choice | None:
        budget, prices = budget or self.goal.left, prices or self.goal.prices
        memory = self.goal.memory.times(max_cycles)
        if not any(o.memory_bytes for node in options for o in node):
            return solve(options, self.links, max_cycles, budget, prices, probe=probe)
        if not self._frames_fit(options, memory):
            inside = [[o for o in node if not o.memory_bytes] for node in options]
            return solve(inside, self.links, max_cycles, budget, prices, probe=probe)
        for split in (False, True):
            limits = Limits(self.streams, memory, split)
            found = solve(options, self.links, max_cycles, budget, prices, limits, probe=probe)
            if found is None or self._spreads(found, max_cycles):
                return found
        return None

    def _frames_fit(self, options: Sequence[Sequence[Option]], memory: MemoryPorts) -> bool:
        """The frames alone leave room for weights."""
        least = [
            (s.written, min((s.bytes(o) for o in options[s.node]), default=0))
            for s in self.streams
            if s.port is not None
        ]
        read, written = (sum(b for way, b in least if way == w) for w in (False, True))
        longest = max((b for way, b in least if not way), default=0)
        return (
            read + written < memory.rate
            and read < memory.total
            and max(longest, written) <= memory.port_rate
        )

    def _spreads(self, choice: Choice, max_cycles: int) -> bool:
        """What is chosen can be spread over the ports as the shell does it."""
        sizes = [(s, s.bytes(choice.options[s.node])) for s in self.streams]
        found = Traffic(
            tuple(_batch(b) for s, b in sizes if s.port is not None and not s.written),
            tuple(_batch(b) for s, b in sizes if s.port is None and b),
            tuple(_batch(b) for s, b in sizes if s.written),
            BATCHES * max_cycles,
        )
        rounded = found.cycles * (1 + ROUNDING)
        return not found.weights or assign(found, self.goal.memory).cycles <= rounded


ROUNDING = 1e-9
BATCHES = 1 << 16
"""Frames to count bytes for, so that rounding them to whole ones does not matter."""


def _batch(size: float) -> int:
    return round(size * BATCHES)


def choose(graph: StreamGraph, goal: Goal, fixed: Sequence[Fixed] = ()) -> Choice:
    """Solve for the goal.

    Args:
        fixed: of each node, attributes that are given; empty for none.

    Raises:
        TargetError: it cannot be reached; says what stops it and what can be.
    """
    links = [_link(graph, edge_index) for edge_index in range(len(graph.inner))]
    problem = _Problem(links, goal, _memory_streams(graph))
    given = fixed or [FREE] * len(graph.nodes)
    if goal.max_cycles is not None:
        return _meet(graph, problem, goal, goal.max_cycles, given)
    options = _options(graph, goal, given)
    found = _fastest(options, problem)
    if found is None:
        slowest = max(o.cycles for node in options for o in node)
        how_far = BROKEN_OFF if problem.undecided else ""
        raise TargetError(_over_budget(graph, options, problem, slowest) + how_far)
    return found


def apply_choice(graph: StreamGraph, choice: Choice) -> None:
    """Write the foldings of a choice into the nodes."""
    for node, option in zip(graph.nodes, choice.options, strict=True):
        node.apply(option.folding)


def _link(graph: StreamGraph, index: int) -> Link:
    edge = graph.inner[index]
    assert edge.source is not None and edge.target is not None
    node = graph.nodes[edge.source.node]
    stream = node.ports(node.folding()).outputs[edge.source.port]
    return Link(
        (edge.source.node, edge.source.port),
        (edge.target.node, edge.target.port),
        stream.elements,
        stream.datatype.bitwidth(),
    )


def _memory_streams(graph: StreamGraph) -> list[MemoryStream]:
    def frames(edge: Edge) -> MemoryStream:
        end, stream = edge.target or edge.source, boundary_stream(graph, edge)
        assert end is not None
        bits = int(stream.datatype.bitwidth())
        return MemoryStream(end.node, end.port, stream.elements, bits, edge.target is None)

    weights = [MemoryStream(i, None) for i in range(len(graph.nodes))]
    return [*map(frames, graph.inputs), *weights, *map(frames, graph.outputs)]


def _options(
    graph: StreamGraph, goal: Goal, fixed: Sequence[Fixed], max_cycles: int | None = None
) -> list[list[Option]]:
    return [
        options_of(
            node,
            max_cycles,
            given,
            in_logic=goal.in_logic,
            hurry=goal.hurry if i in graph.looped else 1.0,
        )
        for i, (node, given) in enumerate(zip(graph.nodes, fixed, strict=True))
    ]


def _meet(
    graph: StreamGraph, problem: _Problem, goal: Goal, max_cycles: int, fixed: Sequence[Fixed]
) -> Choice:
    options = _options(graph, goal, fixed, max_cycles)
    found = problem.solve(options, max_cycles) if all(options) else None
    if found is not None:
        return found
    broken_off = bool(problem.undecided)
    everything = _options(graph, goal, fixed)
    floors = [min(o.cycles for o in node) for node in everything]
    if all(options):
        message = _over_budget(graph, options, problem, max_cycles)
        message += BROKEN_OFF if broken_off else ""
    else:
        slowest = int(np.argmax(floors))
        message = _too_slow(graph.nodes[slowest], goal, max(floors), fixed[slowest])
    if goal.hurry > 1:  # cycles count several times: a figure of them would be wrong
        raise TargetError(message)
    best = _fastest(everything, problem)
    if best is None:
        raise TargetError(f"{message}; no folding of this network fits the budget")
    cycles = max(o.cycles for o in best.options)
    if cycles > max(floors) or all(options):
        message += (
            f"; the best within the budget is {rate(goal.reached(cycles))} frames/s "
            f"({cycles} cycles per frame)"
        )
    raise TargetError(message)


def _too_slow(node: DataflowNode, goal: Goal, floor: int, fixed: Fixed) -> str:
    """The error for a target that no folding of the slowest node reaches."""
    given = ", ".join(f"{name}={value}" for name, value in fixed.items())
    by_hand = f" with {given}" if given else ""
    if goal.hurry > 1:
        return f"{shown(node)}{by_hand} cannot be any faster"
    return (
        f"{goal.fps:,.0f} frames/s leave {goal.max_cycles} cycles per frame at "
        f"{goal.clock_mhz:g} MHz, but {shown(node)}{by_hand} takes at least {floor}; at most "
        f"{rate(goal.reached(floor))} frames/s can be reached"
    )


def rate(fps: float) -> str:
    """Frames per second as text, rounded down, so that it can be asked for."""
    return f"{math.floor(fps):,}" if fps >= 100 else f"{math.floor(fps * 1000) / 1000:g}"


def _fastest(options: Sequence[Sequence[Option]], problem: _Problem) -> Choice | None:
    """Bisect over the cycle counts that occur; the cheapest choice at the least that fits."""
    floor = max(min(o.cycles for o in node) for node in options)
    candidates = sorted({o.cycles for node in options for o in node if o.cycles >= floor})
    low, high, fits = 0, len(candidates) - 1, None
    problem.undecided = 0
    while low <= high:
        middle = (low + high) // 2
        found = problem.solve(options, candidates[middle], probe=True)
        if found is None:
            low = middle + 1
        else:  # it may be faster than was asked for
            fits, high = found, middle - 1
            slowest = max(o.cycles for o in found.options)
            high = min(high, bisect_left(candidates, slowest) - 1)
    if fits is None:
        return None
    undecided = problem.undecided
    best = problem.solve(options, max(o.cycles for o in fits.options)) or fits
    return replace(best, undecided=undecided)


def _over_budget(
    graph: StreamGraph,
    options: Sequence[Sequence[Option]],
    problem: _Problem,
    max_cycles: int,
) -> str:
    """Which resources rule out the target: those that even the most frugal choice exceeds, or,
    if each alone would do, those that the cheapest choice exceeds."""
    goal = problem.goal
    cheapest = problem.solve(options, max_cycles, budget=UNLIMITED)
    if cheapest is None:
        return f"no foldings fit together within {max_cycles} cycles per frame"
    sparest = {
        name: choice
        for name in RESOURCE_NAMES
        if (
            choice := problem.solve(
                options, max_cycles, budget=UNLIMITED, prices=_only(name, goal.prices)
            )
        )
        and name in choice.resources.exceeding(goal.left)
    }
    over = sparest or dict.fromkeys(cheapest.resources.exceeding(goal.left), cheapest)
    parts = [
        f"{name} ({getattr(choice.resources, name):,.0f} of {getattr(goal.left, name):,.0f}, "
        f"most of them in {shown(_largest(graph, choice, name))})"
        for name, choice in over.items()
    ]
    what = f"{goal.fps:,.0f} frames/s" if goal.fps else "the smallest folding"
    kept = [f"{count:,.0f} {name}" for name, count in goal.reserved.as_dict().items() if count]
    besides = f", with {' and '.join(kept)} kept for FIFOs" if kept else ""
    budget = " and ".join(parts) or "the board"
    return f"{what} would take more than the budget of {budget}{besides}"


def _only(name: str, prices: Resources) -> Resources:
    """Prices at which all other resources hardly count."""
    few = {other: getattr(prices, other) * 1e-6 for other in RESOURCE_NAMES}
    return Resources(**{**few, name: getattr(prices, name)})


def _largest(graph: StreamGraph, choice: Choice, name: str) -> DataflowNode:
    index = max(
        range(len(choice.options)), key=lambda i: getattr(choice.options[i].resources, name)
    )
    return graph.nodes[index]


def shown(node: DataflowNode) -> str:
    """The layers of the user's model that a node does, or its own name if it does none."""
    origins = sources(node.node)
    if not origins:
        return f"node {quote(node.name)} ({node.op_type})"
    more = " …" if len(origins) > MAX_ORIGINS else ""
    names = ", ".join(quote(origin) for origin in origins[:MAX_ORIGINS])
    return f"{'layer' if len(origins) == 1 else 'layers'} {names}{more} ({node.op_type})"
