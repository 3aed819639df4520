# SPDX-License-Identifier: Apache-2.0
"""Every node, at every facet, over its own cases; and that a node's name is nowhere else."""

from __future__ import annotations

import ast
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qnnc.backends.simulation.simulate import Pressure
from qnnc.compiler.dataflow import node_class
from qnnc.compiler.dataflow.base import DataflowNode
from qnnc.compiler.dataflow.folding import Arithmetic
from qnnc.compiler.dataflow.registry import facet, lacks
from qnnc.nodes.mvau.cases import mvau, of_shapes, with_dsps
from qnnc.nodes.table import NODES
from qnnc.nodes.testing import (
    FACETS,
    PRESSURES,
    Case,
    agreed,
    cases_of,
    check_cases,
    model_of,
    random_inputs,
)
from tests.conftest import ROOT
from tests.support import node_strategies as strategies
from tests.support.rtl import run_rtl


@pytest.mark.parametrize("name", FACETS)
@pytest.mark.parametrize("op_type", NODES)
def test_every_facet_is_there_or_refused_for_a_reason(op_type: str, name: str) -> None:
    reason = lacks(op_type, name)
    if reason:
        assert name != "node" and not reason.startswith("there is no")
    else:
        assert facet(op_type, name).__doc__


@pytest.mark.parametrize("op_type", NODES)
def test_a_declaration_imports_no_other_facet(op_type: str) -> None:
    module = facet(op_type, "node")
    assert module.__file__ is not None
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    imported = {n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    assert not [m for m in imported if m.startswith(("qnnc.backends", "qnnc.frontends"))]
    assert not [m for m in imported if m.rpartition(".")[2] in FACETS[1:]]
    assert issubclass(node_class(op_type), DataflowNode)
    assert (Path(module.__file__).parent / "README.md").exists()


def batches() -> dict[str, list[Case]]:
    """The cases of all nodes, at most 50 to a model, so that few simulators are compiled."""
    cases = [case for op_type in NODES for case in cases_of(op_type)]
    assert {case.op_type for case in cases} == {n for n in NODES if not lacks(n, "cases")}
    count = -(-len(cases) // 50)
    ends = [len(cases) * i // count for i in range(count + 1)]
    found = [cases[start:end] for start, end in pairwise(ends)]
    return {
        f"{i}-{'-'.join(dict.fromkeys(case.op_type for case in batch))}": batch
        for i, batch in enumerate(found)
    }


BATCHES = batches()


@pytest.mark.parametrize("batch", BATCHES)
def test_all_cases_of_all_nodes(batch: str, cache: Path) -> None:
    """Numpy, reference expansion, C++ and SystemVerilog agree, with and without back-pressure, and
    a frame takes the cycles that are declared."""
    check_cases(BATCHES[batch], cache)


def test_both_engines_agree(cache: Path) -> None:
    """A few nodes of each kind through CXXRTL, whatever engine the others have used."""
    found = [cases_of(op_type) for op_type in list(NODES)[::2]]
    few = [cases[-1] for cases in found if cases]
    few += [with_dsps()[0], with_dsps()[18], of_shapes()[-2]]
    check_cases(few, cache, engine="cxxrtl")


def test_primitives_are_what_is_simulated(cache: Path) -> None:
    """The cells that go into synthesis, in Yosys's own models, do what the library's behaviour
    says: DSP blocks alone, chained, shared and accumulating; LUTs with their carry chains."""
    rng = np.random.default_rng(6)
    kinds: tuple[tuple[str, str, int, int, Arithmetic], ...] = (
        ("UINT8", "INT8", 10, 5, "dsp"),
        ("UINT24", "UINT17", 2, 2, "dsp"),
        ("UINT8", "INT4", 4, 1, "dsp"),
        ("UINT3", "INT5", 13, 13, "lut"),
        ("INT4", "BIPOLAR", 12, 12, "lut"),
        ("TERNARY", "TERNARY", 16, 16, "lut"),
        ("BINARY", "BINARY", 60, 30, "lut"),
    )
    cases = [
        mvau(rng, mw=mw, mh=4, x=x, w=w, pe=2, simd=simd, res=res) for x, w, mw, simd, res in kinds
    ]
    model = model_of(cases)
    tensors = agreed(cases, model, random_inputs(cases, frames=8))
    for pressure in (Pressure(), *PRESSURES[:2]):
        assert run_rtl(model, tensors, cache, pressure=pressure, cells=True).mismatches == 0


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(case=strategies.ANY_NODE, seed=st.integers(0, 2**16))
def test_reference_equals_definition(case: Case, seed: int) -> None:
    agreed([case], model_of([case]), random_inputs([case], seed, 4))


@settings(max_examples=2, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    cases=st.tuples(
        *(
            st.lists(kind(), min_size=count, max_size=count)
            for kind, count in (
                (strategies.mvaus, 7),
                (strategies.dynamic_mvaus, 4),
                (strategies.softmaxes, 3),
                (strategies.thresholdings, 4),
                (strategies.windows, 8),
                (strategies.borders, 3),
                (strategies.folds, 4),
                (strategies.joins, 4),
                (strategies.orders, 4),
            )
        )
    )
)
def test_random_nodes(cases: tuple[list[Case], ...], cache: Path) -> None:
    check_cases([case for group in cases for case in group], cache)


def test_a_nodes_name_is_in_its_folder_and_the_table_alone() -> None:
    """Everything else asks for roles and purposes; FINN's names are FINN's."""
    found = []
    for folder in ("compiler", "backends", "frontends", "explore", "cli"):
        for path in (ROOT / "src" / "qnnc" / folder).rglob("*.py"):
            if path.name == "finn_names.py":
                continue
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and node.value in NODES:
                    found.append(f"{path.relative_to(ROOT)}:{node.lineno}: {node.value}")
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(
                    "qnnc.nodes."
                ):
                    assert node.module == "qnnc.nodes.table", f"{path}:{node.lineno}"
    assert found == []
