# SPDX-License-Identifier: Apache-2.0
"""The choice of foldings as a mixed-integer program, solved by HiGHS.

One binary variable an option; for each stream, one variable a pair of widths at its ends, which
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
from scipy.sparse import coo_array

from qnnc.compiler.dataflow.streaming_data_width_converter import (
    converter_cycles,
    converter_resources,
)
from qnnc.compiler.folding.options import Option
from qnnc.compiler.folding.quiet import quiet_output
from qnnc.compiler.resources import RESOURCE_NAMES, Resources

OPTIMAL, INFEASIBLE = 0, 2


@dataclass(frozen=True)
class Link:
    """A stream between two nodes.

    Attributes:
        source: number of the producing node, and its port.
        target: number of the consuming node, and its port.
        elements: elements a frame.
        bits: bits an element.
    """

    source: tuple[int, int]
    target: tuple[int, int]
    elements: int
    bits: int


@dataclass(frozen=True)
class Choice:
    """A solution.

    Attributes:
        options: the option of each node.
        resources: of all nodes and converters.
    """

    options: tuple[Option, ...]
    resources: Resources

    @property
    def memory_bytes(self) -> float:
        """Bytes a frame from memory outside."""
        return sum(option.memory_bytes for option in self.options)


class _Program:
    """Collects variables and constraints."""

    def __init__(self) -> None:
        self.resources: list[Resources] = []
        self.memory_bytes: list[float] = []
        self.rows: list[int] = []
        self.columns: list[int] = []
        self.entries: list[float] = []
        self.targets: list[float] = []
        self.integers = 0

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


def solve(
    options: Sequence[Sequence[Option]],
    links: Sequence[Link],
    max_cycles: int,
    budget: Resources,
    weights: Resources,
    memory_bytes: float = math.inf,
) -> Choice | None:
    """The cheapest choice within `max_cycles` and `budget`, or None if there is none.

    Args:
        weights: cost of one of each resource.
        memory_bytes: that may come from memory outside for a frame.
    """
    fitting = [[o for o in node if o.cycles <= max_cycles] for node in options]
    if not all(fitting):
        return None
    program = _Program()
    first: list[int] = []
    for node in fitting:
        first.append(len(program.resources))
        variables = [program.variable(o.resources, o.memory_bytes) for o in node]
        program.equal([(v, 1.0) for v in variables], 1.0)
    program.integers = len(program.resources)
    for link in links:
        _add_link(program, link, fitting, first, max_cycles)
    x = _run(program, budget, weights, memory_bytes)
    if x is None:
        return None
    chosen = tuple(
        node[int(np.argmax(x[start : start + len(node)]))]
        for node, start in zip(fitting, first, strict=True)
    )
    return Choice(chosen, total_resources(chosen, links))


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


def _run(
    program: _Program, budget: Resources, weights: Resources, memory_bytes: float
) -> NDArray[np.float64] | None:
    count = len(program.resources)
    usage = np.array([list(r.as_dict().values()) for r in program.resources])
    limits = np.array([getattr(budget, name) for name in RESOURCE_NAMES])
    prices = np.array([getattr(weights, name) for name in RESOURCE_NAMES])
    equalities = coo_array(
        (program.entries, (program.rows, program.columns)),
        shape=(len(program.targets), count),
    ).tocsr()
    constraints = [
        LinearConstraint(equalities, program.targets, program.targets),
        LinearConstraint(usage.T, -np.inf, limits),
    ]
    costs = usage @ prices
    fetched = np.array(program.memory_bytes)
    if fetched.any() and memory_bytes < math.inf:
        share = fetched / max(memory_bytes, 1e-9)
        constraints.append(LinearConstraint(share[None], -np.inf, 1.0))
        costs = costs + share * (prices @ limits if np.all(np.isfinite(limits)) else 0)
    solver = partial(
        milp,
        costs,
        bounds=Bounds(0, 1),
        constraints=constraints,
    )
    relaxed = _answer(solver(options={"presolve": False}))
    if relaxed is None or _whole(relaxed[: program.integers]):
        return relaxed
    integrality = np.zeros(count, dtype=np.int64)
    integrality[: program.integers] = 1
    with quiet_output():
        return _answer(solver(integrality=integrality, options={"mip_rel_gap": 1e-4}))


def _answer(result: OptimizeResult) -> NDArray[np.float64] | None:
    if result.status == INFEASIBLE:
        return None
    if result.x is None:
        raise RuntimeError(f"HiGHS stopped without an answer: {result.message}")
    solution: NDArray[np.float64] = result.x
    return solution


def _whole(x: NDArray[np.float64]) -> bool:
    return bool(np.all(np.abs(x - np.rint(x)) < 1e-6))
