# SPDX-License-Identifier: Apache-2.0
"""Random quantized graphs against ONNX Runtime, some of them as hardware; and the small graphs
that failed once."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from qnnc.backends.simulation.simulate import Pressure
from tests.support.graph_check import failure, simulated_failure
from tests.support.random_graphs import random_graph
from tests.support.shrink import as_text, shrink

GRAPHS = 200
PORTION = 10
FOLDED = 4
"""Every such graph is folded, too."""
SIMULATED = (1, 2, 12, 13, 28, 30, 48, 49, 50, 53)
"""Small ones, with every dataflow node among them; the benchmark takes the first fifty."""
KEPT = sorted((Path(__file__).parent / "graphs").glob("*.txt"))


@pytest.mark.parametrize("first", range(0, GRAPHS, PORTION))
def test_dataflow_graphs_equal_the_quantized_ones(first: int) -> None:
    """The graphs fail, if any does, with a small graph to keep in tests/graphs."""
    for seed in range(first, first + PORTION):
        model, fold = random_graph(seed), seed % FOLDED == 0
        found = failure(model, fold=fold)
        if found is not None:
            small = shrink(
                model,
                lambda m, found=found, fold=fold: failure(m, fold=fold) == found,  # type: ignore[misc]
            )
            pytest.fail(f"graph {seed}: {found}\n{as_text(small)}")


@pytest.mark.parametrize("seed", SIMULATED)
def test_hardware_equals_the_dataflow_graph(seed: int, cache: Path) -> None:
    pressure = Pressure(source=50, sink=50, seed=seed) if seed % 2 else Pressure()
    assert simulated_failure(random_graph(seed), cache, pressure) is None


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.stem)
def test_graphs_that_failed_once(path: Path) -> None:
    assert failure(onnx.parser.parse_model(path.read_text())) is None


def test_graphs_are_shrunk_to_what_makes_them_fail() -> None:
    """A fault that any Slice causes ends in a graph of a quantizer, perhaps, and a Slice."""
    seeds = (s for s in range(100) if any(n.op_type == "Slice" for n in random_graph(s).graph.node))

    def has_slice(model: onnx.ModelProto) -> bool:
        return any(node.op_type == "Slice" for node in model.graph.node)

    small = shrink(random_graph(next(seeds)), has_slice)
    assert len(small.graph.node) == 1
    assert onnx.parser.parse_model(as_text(small)).graph.node == small.graph.node
