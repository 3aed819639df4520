# SPDX-License-Identifier: Apache-2.0
"""The choice of foldings as a mixed-integer program, solved by HiGHS.

One binary variable per option; for each stream, one variable per pair of widths at its ends, which
carries the cost of the width converter between them. A pair's variables sum to the options that
have these widths, so that they come out whole by themselves.

The linear relaxation is solved first. In a chain it is a shortest path, whole by itself unless
the budget binds, and takes a tenth of the time.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, OptimizeResult, milp
from scipy.sparse import coo_array, csr_array

from qnnc.compiler.dataflow.width_conversion import (
    converter_cycles,
    converter_resources,
)
from qnnc.compiler.folding.options import Option
from qnnc.compiler.folding.prune import Link, pruned
from qnnc.compiler.folding.quiet import quiet_output
from qnnc.compiler.memory_ports import MAX_STREAMS, MemoryPorts, word_bytes
from qnnc.compiler.resources import RESOURCE_NAMES, Resources

LIMIT, INFEASIBLE = 1, 2
MAX_NODES, MAX_SPLIT_NODES = 50_000, 5000
"""Of the search, and of that where streams are put on ports: more would take many minutes, or
seconds. What was found by then is taken, with its proven distance from the best."""
PROBE_NODES = 2000
"""Of a search for anything that fits. It is mostly found in the first dozens; to prove that there
is nothing, where the resources miss it by a hair, may take any number."""
MAX_SECONDS = 600.0
"""Of one search, in wall time: a last resort, so that a busy machine does not change a choice."""
GAP, ANY_GAP = 1e-4, 1e9
"""Share of the cost by which a choice may miss the best, and if any will do."""


@dataclass(frozen=True)
class MemoryStream:
    """A stream between the board's memory and a node.

    Attributes:
        node: number of the node.
        port: of its inputs or outputs; None for its weights, which it may have on the chip.
        elements: elements per frame.
        bits: bits per element.
        written: it is written to memory.
    """

    node: int
    port: int | None
    elements: int = 0
    bits: int = 0
    written: bool = False

    def bytes(self, option: Option) -> float:
        """Bytes per frame at an option of the node, the padding of words included."""
        if self.port is None:
            return option.memory_bytes
        lanes = (option.lanes_out if self.written else option.lanes_in)[self.port]
        return self.elements / lanes * word_bytes(lanes * self.bits)


@dataclass(frozen=True)
class Limits:
    """What memory gives in a frame.

    Attributes:
        streams: that come from there and go there.
        memory: its ports, in bytes per frame.
        split: put each stream that is read on a port and hold each to its rate; else only all of
            them together.
    """

    streams: Sequence[MemoryStream]
    memory: MemoryPorts
    split: bool = False


@dataclass(frozen=True)
class Choice:
    """A solution.

    Attributes:
        options: the option of each node.
        resources: of all nodes and converters.
        gap: share of its cost by which the best choice may be cheaper, as far as was proved.
        undecided: cycles per frame for which nothing was found, nor that there is nothing; 0 for
            none.
    """

    options: tuple[Option, ...]
    resources: Resources
    gap: float = 0.0
    undecided: int = 0


class BrokenOffError(Exception):
    """The search ended at its limit, without a choice and without a proof that there is none."""


class _Program:
    """Collects variables and constraints."""

    def __init__(self) -> None:
        self.resources: list[Resources] = []
        self.memory_bytes: list[float] = []
        self.rows: list[int] = []
        self.columns: list[int] = []
        self.entries: list[float] = []
        self.targets: list[float] = []
        self.upper: list[tuple[list[tuple[int, float]], float]] = []
        self.whole: list[int] = []

    def variable(self, resources: Resources, memory_bytes: float = 0.0) -> int:
        self.resources.append(resources)
        self.memory_bytes.append(memory_bytes)
        return len(self.resources) - 1

    def equal(self, terms: list[tuple[int, float]], value: float) -> None:
        for column, entry in terms:
            self.rows.append(len(self.targets))
            self.columns.append(column)
            self.entries.append(entry)
        self.targets.append(value)

    def at_most(self, terms: list[tuple[int, float]], value: float) -> None:
        self.upper.append((terms, value))


def solve(
    options: Sequence[Sequence[Option]],
    links: Sequence[Link],
    max_cycles: int,
    budget: Resources,
    weights: Resources,
    limits: Limits | None = None,
    *,
    probe: bool = False,
) -> Choice | None:
    """The cheapest choice within `max_cycles` and `budget`, or None if there is none.

    Args:
        weights: cost of one of each resource.
        limits: of off-chip memory, if it is used.
        probe: any choice will do.

    Raises:
        BrokenOffError: neither was found.
    """
    fitting = [[o for o in node if o.cycles <= max_cycles] for node in options]
    if not all(fitting):
        return None
    frames = [
        [s for s in limits.streams if s.node == i and s.port is not None] if limits else []
        for i in range(len(options))
    ]
    moved = [partial(_bytes_each, streams) for streams in frames]
    fitting = pruned(fitting, links, max_cycles, weights, moved)
    program = _Program()
    first: list[int] = []
    for node in fitting:
        first.append(len(program.resources))
        variables = [program.variable(o.resources, o.memory_bytes) for o in node]
        program.equal([(v, 1.0) for v in variables], 1.0)
    program.whole = list(range(len(program.resources)))
    for link in links:
        _add_link(program, link, fitting, first, max_cycles)
    if limits is not None:
        _add_limits(program, limits, fitting, first)
    found = _run(program, budget, weights, limits, probe=probe)
    if found is None:
        return None
    x, gap = found
    chosen = tuple(
        node[int(np.argmax(x[start : start + len(node)]))]
        for node, start in zip(fitting, first, strict=True)
    )
    return Choice(chosen, total_resources(chosen, links), gap)


def _bytes_each(streams: Sequence[MemoryStream], option: Option) -> list[float]:
    return [stream.bytes(option) for stream in streams]


def total_resources(chosen: Sequence[Option], links: Sequence[Link]) -> Resources:
    """Resources of a choice, converters included."""
    total = Resources()
    for option in chosen:
        total += option.resources
    for link in links:
        total += converter_resources(
            link.bits,
            chosen[link.source[0]].lanes_out[link.source[1]],
            chosen[link.target[0]].lanes_in[link.target[1]],
        )
    return total


def _add_link(
    program: _Program,
    link: Link,
    fitting: Sequence[Sequence[Option]],
    first: Sequence[int],
    max_cycles: int,
) -> None:
    (source, out_port), (target, in_port) = link.source, link.target
    left: defaultdict[int, list[int]] = defaultdict(list)
    right: defaultdict[int, list[int]] = defaultdict(list)
    for i, option in enumerate(fitting[source]):
        left[option.lanes_out[out_port]].append(first[source] + i)
    for i, option in enumerate(fitting[target]):
        right[option.lanes_in[in_port]].append(first[target] + i)
    pairs: dict[tuple[int, int], int] = {}
    for p in left:
        for q in right:
            if p == q or converter_cycles(link.elements, p, q) <= max_cycles:
                pairs[p, q] = program.variable(converter_resources(link.bits, p, q))
    for p, variables in left.items():
        terms = [(pairs[p, q], 1.0) for q in right if (p, q) in pairs]
        program.equal(terms + [(v, -1.0) for v in variables], 0.0)
    for q, variables in right.items():
        terms = [(pairs[p, q], 1.0) for p in left if (p, q) in pairs]
        program.equal(terms + [(v, -1.0) for v in variables], 0.0)


def _add_limits(
    program: _Program,
    limits: Limits,
    fitting: Sequence[Sequence[Option]],
    first: Sequence[int],
) -> None:
    """How many streams there are, what is read and written together, and over the ports."""
    memory = limits.memory
    weights = [
        [(first[s.node] + i, 1.0) for i, o in enumerate(fitting[s.node]) if o.memory_bytes]
        for s in limits.streams
        if s.port is None
    ]
    left = MAX_STREAMS - sum(s.port is not None for s in limits.streams)
    if sum(map(bool, weights)) > left:
        program.at_most([term for terms in weights for term in terms], float(max(0, left)))
    reads: list[list[tuple[int, float]]] = []
    writes: list[list[tuple[int, float]]] = []
    for s in limits.streams:
        sizes = enumerate(s.bytes(option) for option in fitting[s.node])
        terms = [(first[s.node] + i, size) for i, size in sizes if size]
        if terms:
            (writes if s.written else reads).append(terms)
    for group, most in (
        ([*reads, *writes], memory.rate),
        (reads, memory.ports * memory.port_rate),
        (writes, memory.port_rate),
        *(([read], memory.port_rate) for read in reads),
    ):
        if most < math.inf:
            every = [(v, size / max(most, 1e-9)) for terms in group for v, size in terms]
            program.at_most(every, 1.0)
    if limits.split:
        _add_ports(program, reads, memory)


def _add_ports(
    program: _Program, reads: Sequence[list[tuple[int, float]]], memory: MemoryPorts
) -> None:
    """Each stream on one port: its share of each is 0, or at most all of it where it is. The
    first is on the first, the second on one of the first two, and so on."""
    loads: list[list[tuple[int, float]]] = [[] for _ in range(memory.ports)]
    for index, read in enumerate(reads):
        shares = [(v, size / memory.port_rate) for v, size in read]
        here = []
        for port in range(min(index + 1, memory.ports)):
            is_here, load = program.variable(Resources()), program.variable(Resources())
            program.whole.append(is_here)
            program.at_most([(load, 1.0), (is_here, -1.0)], 0.0)
            loads[port].append((load, 1.0))
            here.append((is_here, load))
        program.equal([(is_here, 1.0) for is_here, _ in here], 1.0)
        program.equal([(load, 1.0) for _, load in here] + [(v, -s) for v, s in shares], 0.0)
    for load_terms in loads:
        program.at_most(load_terms, 1.0)


def _rows(rows: Sequence[list[tuple[int, float]]], count: int) -> csr_array:
    entries = [(entry, i, column) for i, row in enumerate(rows) for column, entry in row]
    values, lines, columns = zip(*entries, strict=True) if entries else ((), (), ())
    return coo_array((values, (lines, columns)), shape=(len(rows), count)).tocsr()


def _run(
    program: _Program,
    budget: Resources,
    weights: Resources,
    limits: Limits | None,
    *,
    probe: bool = False,
) -> tuple[NDArray[np.float64], float] | None:
    """The solution and the proven gap of its cost, or None if there is none."""
    count = len(program.resources)
    usage = np.array([list(r.as_dict().values()) for r in program.resources])
    most = np.array([getattr(budget, name) for name in RESOURCE_NAMES])
    prices = np.array([getattr(weights, name) for name in RESOURCE_NAMES])
    equalities = coo_array(
        (program.entries, (program.rows, program.columns)),
        shape=(len(program.targets), count),
    ).tocsr()
    constraints = [
        LinearConstraint(equalities, program.targets, program.targets),
        LinearConstraint(usage.T, -np.inf, most),
    ]
    costs = usage @ prices
    if program.upper:
        rows, values = zip(*program.upper, strict=True)
        constraints.append(LinearConstraint(_rows(rows, count), -np.inf, np.array(values)))
    fetched = np.array(program.memory_bytes)
    if limits is not None and fetched.any() and limits.memory.rate < math.inf:
        share = fetched / max(limits.memory.total, 1e-9)
        costs = costs + share * (prices @ most if np.all(np.isfinite(most)) else 0)
    solver = partial(
        milp,
        costs,
        bounds=Bounds(0, 1),
        constraints=constraints,
    )
    relaxed = _answer(solver(options={"presolve": False}))
    if relaxed is None or _whole(relaxed[program.whole]):
        return None if relaxed is None else (relaxed, 0.0)
    integrality = np.zeros(count, dtype=np.int64)
    integrality[program.whole] = 1
    split = limits is not None and limits.split
    most_nodes = MAX_SPLIT_NODES if split else MAX_NODES
    with quiet_output():
        result = solver(
            integrality=integrality,
            options={
                "mip_rel_gap": ANY_GAP if probe else GAP,
                "node_limit": min(PROBE_NODES, most_nodes) if probe else most_nodes,
                "time_limit": MAX_SECONDS,
            },
        )
    x = _answer(result)
    return None if x is None else (x, float(result.mip_gap or 0.0))


def _answer(result: OptimizeResult) -> NDArray[np.float64] | None:
    if result.status == INFEASIBLE:
        return None
    # SciPy does not know HiGHS's status for a limit on nodes that no choice was found within
    limited = result.status == LIMIT or "limit reached" in result.message
    if limited and result.x is None:
        raise BrokenOffError
    if result.x is None:
        raise RuntimeError(f"HiGHS stopped without an answer: {result.message}")
    solution: NDArray[np.float64] = result.x
    return solution


def _whole(x: NDArray[np.float64]) -> bool:
    return bool(np.all(np.abs(x - np.rint(x)) < 1e-6))
