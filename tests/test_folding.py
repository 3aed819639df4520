# SPDX-License-Identifier: Apache-2.0
"""Folding: the optimum, against brute force; and what is said of targets that cannot be met."""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qonnx.core.datatype import DataType

from benchmarks.networks import MlpSpec, mlp
from qnnc.compiler.dataflow.base import Ports, Stream
from qnnc.compiler.dataflow.folding import PEFolding
from qnnc.compiler.dataflow.stream_graph import stream_graph
from qnnc.compiler.dataflow.width_conversion import converter_cycles
from qnnc.compiler.errors import TargetError
from qnnc.compiler.folding.goal import Goal, choose
from qnnc.compiler.folding.options import Option, options_of
from qnnc.compiler.folding.problem import solve, total_resources
from qnnc.compiler.folding.prune import Link
from qnnc.compiler.ir.facts import set_sources
from qnnc.compiler.resources import Resources
from tests.support import nodes
from tests.support.build import compile_proto

DEVICE = Resources(53200, 106400, 280, 220)
PRICES = Resources(1, 0.01, 50, 20)


@st.composite
def problems(draw: st.DrawFn) -> tuple[list[list[Option]], list[Link], int, Resources]:
    """A chain of up to four nodes with up to six options each."""
    count = draw(st.integers(1, 4))
    lanes = st.sampled_from([1, 2, 3, 4, 6])
    choices = []
    for _ in range(count):
        size = draw(st.integers(1, 6))
        choices.append(
            [
                Option(
                    PEFolding(PE=i + 1),
                    draw(st.integers(1, 40)),
                    Resources(
                        draw(st.integers(0, 300)),
                        draw(st.integers(0, 300)),
                        draw(st.integers(0, 4)),
                        draw(st.integers(0, 3)),
                    ),
                    (draw(lanes),),
                    (draw(lanes),),
                )
                for i in range(size)
            ]
        )
    links = [Link((i, 0), (i + 1, 0), 12, draw(st.integers(1, 8))) for i in range(count - 1)]
    budget = Resources(draw(st.integers(100, 900)), 10_000, draw(st.integers(1, 12)), 10)
    return choices, links, draw(st.integers(5, 40)), budget


def price(resources: Resources) -> float:
    return sum(
        getattr(resources, name) * getattr(PRICES, name) for name in ("LUT", "FF", "BRAM18", "DSP")
    )


def brute_force(
    choices: list[list[Option]], links: list[Link], max_cycles: int, budget: Resources
) -> float | None:
    best = None
    for chosen in itertools.product(*choices):
        if any(option.cycles > max_cycles for option in chosen):
            continue
        slow = False
        for link in links:
            p, q = chosen[link.source[0]].lanes_out[0], chosen[link.target[0]].lanes_in[0]
            slow |= p != q and converter_cycles(link.elements, p, q) > max_cycles
        total = total_resources(chosen, links)
        if slow or total.exceeding(budget):
            continue
        cost = price(total)
        best = cost if best is None else min(best, cost)
    return best


@settings(max_examples=120, deadline=None)
@given(problem=problems())
def test_the_solution_is_the_optimum(
    problem: tuple[list[list[Option]], list[Link], int, Resources],
) -> None:
    expected = brute_force(*problem)
    found = solve(*problem, PRICES)
    if expected is None:
        assert found is None
    else:
        assert found is not None
        assert price(found.resources) <= expected * 1.0002 + 1e-6


def graph_of(widths: tuple[int, ...] = (64, 32, 10), bits: int = 2) -> object:
    model, _, _ = compile_proto(mlp(MlpSpec(widths, bits, bits, "relu", bits)), samples=2)
    return stream_graph(model)


def goal(**changes: object) -> Goal:
    settings_ = {"device": DEVICE, "budget": DEVICE, "clock_mhz": 100.0, **changes}
    return Goal(**settings_)  # type: ignore[arg-type]


def test_a_target_is_met_at_least_cost() -> None:
    graph = graph_of()
    slow, fast = choose(graph, goal(fps=10_000.0)), choose(graph, goal(fps=1_000_000.0))
    assert max(o.cycles for o in slow.options) <= 10_000
    assert max(o.cycles for o in fast.options) <= 100
    assert slow.resources.LUT < fast.resources.LUT


def test_without_a_target_it_is_the_fastest_within_the_budget() -> None:
    graph = graph_of()
    budget = DEVICE.scaled(0.05)
    best = choose(graph, goal(budget=budget))
    cycles = max(o.cycles for o in best.options)
    assert not best.resources.exceeding(budget)
    wanted = goal(budget=budget, fps=100e6 / cycles)
    costs = [
        sum(n * getattr(wanted.prices, name) for name, n in choice.resources.as_dict().items())
        for choice in (best, choose(graph, wanted))
    ]
    assert costs[0] <= costs[1] * 1.0002, "and of those the cheapest"
    faster = sorted(
        {o.cycles for node in graph.nodes for o in options_of(node) if o.cycles < cycles}
    )
    with pytest.raises(TargetError):
        choose(graph, goal(budget=budget, fps=100e6 / faster[-1]))


def test_a_node_that_cannot_be_fast_enough_is_named() -> None:
    model = nodes.model_of([nodes.label_select(labels=1000, k=5, kind="INT8")])
    with pytest.raises(TargetError, match=r"'LabelSelect_0'.*takes at least 1000.*100,000 frames"):
        choose(stream_graph(model), goal(fps=200_000.0))


def test_a_resource_that_is_short_is_named_with_the_best_that_can_be_reached() -> None:
    graph = graph_of((512, 256, 10), bits=4)
    best = r"LUT.*the best within the budget is [\d,]+ frames/s"
    with pytest.raises(TargetError, match=best) as error:
        choose(graph, goal(budget=DEVICE.scaled(0.2), fps=1_000_000.0))
    promised = re.search(r"\((\d+) cycles per frame\)", str(error.value))
    assert promised is not None
    met = choose(graph, goal(budget=DEVICE.scaled(0.2), fps=100e6 / int(promised[1])))
    assert max(o.cycles for o in met.options) == int(promised[1])
    with pytest.raises(TargetError, match="no folding of this network fits the budget"):
        choose(graph, goal(budget=DEVICE.scaled(0.02), fps=1_000_000.0))
    with pytest.raises(TargetError, match="the smallest folding would take more than the budget"):
        choose(graph, goal(budget=Resources(10, 10, 0, 0)))


def test_foldings_are_legal() -> None:
    rng = np.random.default_rng(0)
    model = nodes.model_of(
        [
            nodes.mvau(rng, mw=30, mh=12, x="UINT4", w="INT4", pe=1, simd=1),
            nodes.thresholding(rng, channels=30, steps=3, x="INT8", pe=1),
        ]
    )
    for node in stream_graph(model).nodes:
        for folding in node.foldings():
            ports = node.ports(folding)
            for stream in (*ports.inputs, *ports.outputs):
                assert stream.shape[-1] % stream.lanes == 0
            assert node.cycles(folding) >= max(s.words for s in ports.outputs)
            resources = node.resources(folding)
            assert all(math.isfinite(v) and v >= 0 for v in resources.as_dict().values())


def test_factored_thresholds_are_chosen_where_they_are_cheaper() -> None:
    rng = np.random.default_rng(0)
    specs = [
        nodes.tail(rng, channels=64, steps=255, x="INT12"),
        nodes.tail(rng, channels=64, steps=255, x="INT14", function="tanh"),
        nodes.tail(rng, channels=64, steps=3, x="INT12"),
        nodes.thresholding(rng, channels=16, steps=31, x="INT12", pe=1),
    ]
    graph = stream_graph(nodes.model_of(specs))
    chosen = choose(graph, goal(fps=1_000_000.0)).options
    styles = [option.folding.impl_style for option in chosen]
    assert styles == ["requant", "factored", "table", "table"]
    tables = [replace(option.folding, impl_style="table") for option in chosen]
    for node, option, table in zip(graph.nodes[:2], chosen, tables, strict=False):
        assert price(node.resources(option.folding)) < price(node.resources(table)) / 2
    reasons = [node.implementation(o.folding) for node, o in zip(graph.nodes, chosen, strict=True)]
    assert [r[0] for r in reasons if r] == styles
    assert "table takes" in reasons[0][1] and "in common" in reasons[3][1]  # type: ignore[index]


def test_the_solver_writes_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    """HiGHS writes to the process's output by itself; JSON must stay JSON."""
    import os

    from qnnc.compiler.folding.quiet import quiet_output

    with quiet_output():
        os.write(1, b"from the library\n")
    os.write(1, b"from us\n")
    assert capfd.readouterr().out == "from us\n"


@given(st.integers(1, 10**9), st.sampled_from([100.0, 125.0, 1000 / 7, 62.5]))
def test_a_goal_leaves_the_most_cycles_that_reach_it(fps: int, clock_mhz: float) -> None:
    goal = Goal(DEVICE, DEVICE, clock_mhz, fps=fps)
    most = goal.max_cycles
    assert most is not None
    assert goal.reached(most + 1) < fps
    assert most == 0 or goal.reached(most) >= fps * (1 - 1e-12)


@dataclass(frozen=True)
class Listed:
    """A node whose foldings are given, each as cycles, resources, lanes and bytes."""

    choices: tuple[tuple[int, Resources, int, float], ...]

    def foldings(self) -> list[PEFolding]:
        return [PEFolding(PE=i) for i in range(len(self.choices))]

    def cycles(self, folding: PEFolding) -> int:
        return self.choices[folding.PE][0]

    def resources(self, folding: PEFolding) -> Resources:
        return self.choices[folding.PE][1]

    def ports(self, folding: PEFolding) -> Ports:
        stream = Stream((12,), DataType["INT4"], self.choices[folding.PE][2])
        return Ports((stream,), (stream,))

    def weight_bytes(self, folding: PEFolding) -> float:
        return self.choices[folding.PE][3]

    def in_logic(self, folding: PEFolding) -> bool:
        return False


SMALL = st.integers(0, 2)
CHOICE = st.tuples(
    st.integers(1, 3),
    st.builds(Resources, SMALL, SMALL, SMALL, SMALL),
    st.sampled_from([1, 2]),
    st.sampled_from([0.0, 8.0]),
)


@given(st.lists(CHOICE, max_size=12), st.none() | st.integers(1, 3))
def test_options_are_those_that_no_other_beats(
    choices: list[tuple[int, Resources, int, float]], most: int | None
) -> None:
    """Of every group with equal streams the best ones, of equals one; flip-flops do not count."""
    node: Any = Listed(tuple(choices))
    found = [o.folding.PE for o in options_of(node, most)]
    keys = [(c[0], c[1].LUT, c[1].BRAM18, c[1].DSP, c[3]) for c in choices]
    for lanes in (1, 2):
        fitting = [i for i, c in enumerate(choices) if c[2] == lanes and c[0] <= (most or 9)]
        best = {
            keys[i]
            for i in fitting
            if not any(
                keys[j] != keys[i] and all(a <= b for a, b in zip(keys[j], keys[i], strict=True))
                for j in fitting
            )
        }
        mine = [i for i in found if choices[i][2] == lanes]
        assert sorted(keys[i] for i in mine) == sorted(best)
        assert set(mine) <= set(fitting)


@pytest.mark.parametrize(("count", "shown"), [(1, "layer 'a0'"), (3, "'a2' ("), (5, "'a2' … (")])
def test_a_node_of_many_layers_names_the_first_three(count: int, shown: str) -> None:
    model = nodes.model_of([nodes.label_select(labels=1000, k=5, kind="INT8")])
    set_sources(next(iter(model.graph)), [f"a{i}" for i in range(count)])
    with pytest.raises(TargetError) as error:
        choose(stream_graph(model), goal(fps=200_000.0))
    assert shown in str(error.value)
    assert "'a3'" not in str(error.value)
