# SPDX-License-Identifier: Apache-2.0
"""Every node, at every facet, over its own cases; and that a node's name is nowhere else."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from qnnc.compiler.dataflow import node_class
from qnnc.compiler.dataflow.base import DataflowNode
from qnnc.compiler.dataflow.registry import facet, lacks
from qnnc.nodes.table import NODES
from qnnc.nodes.testing import FACETS, cases_of, check_cases
from tests.conftest import ROOT


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


def test_all_cases_of_all_nodes(cache: Path) -> None:
    """Numpy, reference expansion, C++ and SystemVerilog agree, with and without back-pressure.

    All nodes stand in one model, so that a simulator is compiled once.
    """
    cases = [case for op_type in NODES for case in cases_of(op_type)]
    assert {case.new.op_type for case in cases} == set(NODES)
    check_cases(cases, cache)


def test_a_nodes_name_is_in_its_folder_and_the_table_alone() -> None:
    """Everything else asks for roles and purposes."""
    found = []
    for folder in ("compiler", "backends", "frontends", "explore", "cli"):
        for path in (ROOT / "src" / "qnnc" / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and node.value in NODES:
                    found.append(f"{path.relative_to(ROOT)}:{node.lineno}: {node.value}")
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(
                    "qnnc.nodes."
                ):
                    assert node.module == "qnnc.nodes.table", f"{path}:{node.lineno}"
    assert found == []
