# SPDX-License-Identifier: Apache-2.0
"""What a build may take: FIFOs and shell counted, and what is said of what does not fit."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest

from benchmarks.cnn_networks import mobilenet
from benchmarks.networks import MlpSpec, mlp
from benchmarks.pass_scaling import residual as residual_blocks
from benchmarks.shell_ports import cells
from qnnc.backends.bitstream.netlist.link import synthesised_shell
from qnnc.backends.bitstream.shell.shell import TOP
from qnnc.compiler.board import find_board
from qnnc.compiler.building.options import BuildOptions
from qnnc.compiler.dataflow.shell_cost import shell_of, shell_resources
from qnnc.compiler.dataflow.stream_graph import stream_graph
from qnnc.compiler.errors import TargetError
from qnnc.compiler.passes.fit_budget import FitBudget, remove_inserted, total_of
from qnnc.compiler.passes.insert_fifos import InsertFifos
from qnnc.compiler.passes.insert_width_converters import InsertWidthConverters
from qnnc.compiler.passes.set_folding import SetFolding
from qnnc.compiler.reference import BatchRunner
from qnnc.compiler.resources import Resources
from tests.support import nodes
from tests.support.build import compile_proto
from tests.support.shell import mixer

LUTS = {"RAM64M": 4, "RAM32M": 4}
DEVICE = find_board("Pynq-Z1").resources


@pytest.fixture(scope="module")
def residual() -> ir.Model:
    """A residual network, lowered: its branches need FIFOs."""
    return compile_proto(residual_blocks(2, 8), samples=2, each=False)[0]


def folded(model: ir.Model, *steps: SetFolding, **goal: float) -> Resources:
    remove_inserted(model)
    SetFolding(**goal).run(model)  # type: ignore[arg-type]
    InsertWidthConverters().run(model)
    InsertFifos().run(model)
    for step in steps:
        step.run(model)
    return total_of(stream_graph(model))


@pytest.mark.parametrize("target", [{}, {"fps": 30000.0}])
def test_fifos_are_within_the_budget(residual: ir.Model, target: dict[str, float]) -> None:
    """Under a budget that folding alone just meets, FIFOs do not fit until it is done again."""
    alone = folded(residual, fps=40000.0)
    fifos = [n for n in stream_graph(residual).nodes if n.op_type == "StreamingFIFO"]
    inserted = sum((n.resources(n.folding()) for n in fifos), Resources())
    share = (alone.LUT - inserted.LUT / 2) / DEVICE.LUT
    goal = {"budget": share, **target}
    x = np.random.default_rng(0).uniform(-1, 1, (2, *residual.graph.inputs[0].shape[1:]))  # type: ignore[misc,index]
    inputs = {str(residual.graph.inputs[0].name): x.astype(np.float32)}
    outputs = list(residual.graph.outputs)
    before = BatchRunner(residual, outputs).run(inputs)
    assert folded(residual, **goal).exceeding(SetFolding(**goal).allowed(stream_graph(residual)))  # type: ignore[arg-type]
    total = folded(residual, FitBudget(**goal), **goal)  # type: ignore[arg-type]
    graph = stream_graph(residual)
    assert not total.exceeding(DEVICE.scaled(share))
    assert any(node.op_type == "StreamingFIFO" for node in graph.nodes)
    cycles = max(node.cycles(node.folding()) for node in graph.nodes)
    assert cycles <= 100e6 / target.get("fps", 1)
    after = BatchRunner(residual, outputs).run(inputs)
    for name, array in before.items():
        np.testing.assert_array_equal(array, after[name])


def test_a_goal_that_fifos_forbid_is_refused_with_what_they_take(residual: ir.Model) -> None:
    alone = folded(residual, fps=8000.0)
    share = 0.995 * (alone.LUT - 1) / DEVICE.LUT
    goal = {"budget": share, "fps": 8000.0}
    try:
        total = folded(residual, FitBudget(**goal), **goal)  # type: ignore[arg-type]
    except TargetError as error:
        assert re.search(r"budget of LUT .*frames/s", str(error))
    else:
        assert not total.exceeding(DEVICE.scaled(share))


def test_the_shell_has_room_beside_a_whole_device(residual: ir.Model) -> None:
    folded(residual, fps=1000.0)
    graph = stream_graph(residual)
    whole, most = SetFolding(budget=1.0).allowed(graph), SetFolding(budget=0.8).allowed(graph)
    assert whole.LUT == DEVICE.LUT - shell_of(graph).LUT
    assert most.LUT == 0.8 * DEVICE.LUT
    options = BuildOptions(model="", out=Path("x"), fps=1.0)
    assert options.allowed(DEVICE, shell_of(graph)) == whole


def test_beyond_reach_the_slowest_of_all_layers_is_named() -> None:
    """The first node that is too slow may be far from the slowest."""
    rng = np.random.default_rng(0)
    model = nodes.model_of(
        [
            nodes.label_select(labels=100, k=1, kind="INT8"),
            nodes.label_select(labels=1000, k=1, kind="INT8"),
            nodes.thresholding(rng, channels=10, steps=3, x="INT8", pe=1),
        ]
    )
    with pytest.raises(TargetError, match=r"takes at least 1000; at most 100,000 frames") as error:
        SetFolding(fps=5e6).run(model)
    assert "--batch" not in str(error.value)
    SetFolding(fps=100_000).run(model)


def test_a_promised_rate_can_be_asked_for() -> None:
    model = compile_proto(mobilenet(4, 12, ((8, 1), (16, 2))), samples=2, each=False)[0]
    with pytest.raises(TargetError, match=r"layers? .*takes at least") as error:
        SetFolding(fps=1e7).run(model)
    promised = re.findall(r"([\d,]+) frames/s", str(error.value))
    SetFolding(fps=float(promised[-1].replace(",", ""))).run(model)
    assert "--batch" not in str(error.value)


def test_memory_is_proposed_only_where_it_reaches_the_goal() -> None:
    model = compile_proto(mlp(MlpSpec((512, 512, 512, 10), 4, 4, "relu", 4)), samples=2)[0]
    few = {"BRAM18": 60.0, "LUT": 12000.0, "budget": 1.0}
    with pytest.raises(TargetError, match=r"with --batch 16, .* ([\d,]+) frames/s") as error:
        SetFolding(**few).run(model)  # type: ignore[arg-type]
    SetFolding(batch=16, **few).run(model)  # type: ignore[arg-type]
    assert "layer" in str(error.value)
    with pytest.raises(TargetError) as hopeless:
        SetFolding(**{**few, "LUT": 600.0}).run(model)  # type: ignore[arg-type]
    assert "--batch" not in str(hopeless.value)


def test_the_shell_is_as_large_as_synthesised(tmp_path: Path) -> None:
    """Two streams in and one out, 64 bits each (others: benchmarks/shell_ports.py)."""
    shell = mixer(16, [0, 0])
    modules = synthesised_shell(shell.design, shell.top_sources, TOP, tmp_path)
    found = cells(modules, TOP)
    luts = sum(n * LUTS.get(kind, int(kind.startswith("LUT"))) for kind, n in found.items())
    ffs = sum(n for kind, n in found.items() if kind.startswith("FD"))
    estimate = shell_resources([64, 64], [64])
    assert luts == pytest.approx(estimate.LUT, rel=0.1)
    assert ffs == pytest.approx(estimate.FF, rel=0.1)
