# SPDX-License-Identifier: Apache-2.0
"""What a build may take: FIFOs and shell counted, and what is said of what does not fit."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from benchmarks.cnn_networks import mobilenet
from benchmarks.networks import MlpSpec, mlp
from benchmarks.pass_scaling import residual as residual_blocks
from benchmarks.shell_ports import cells
from qnnc.backends.bitstream.netlist.link import synthesised_shell
from qnnc.backends.bitstream.shell.shell import TOP
from qnnc.compiler import build
from qnnc.compiler.board import find_board
from qnnc.compiler.building import run
from qnnc.compiler.building.options import BuildOptions
from qnnc.compiler.building.pipeline import declaring_passes
from qnnc.compiler.building.size import BLOCK_BITS, LUT_BITS, check_size, layers_of
from qnnc.compiler.dataflow.shell_cost import shell_of, shell_resources
from qnnc.compiler.dataflow.stream_graph import stream_graph
from qnnc.compiler.errors import TargetError
from qnnc.compiler.folding import problem
from qnnc.compiler.folding.goal import choose
from qnnc.compiler.ir.facts import name_sources
from qnnc.compiler.passes import set_folding
from qnnc.compiler.passes.fit_budget import FitBudget, remove_inserted, total_of
from qnnc.compiler.passes.insert_fifos import InsertFifos
from qnnc.compiler.passes.insert_width_converters import InsertWidthConverters
from qnnc.compiler.passes.manager import PassManager
from qnnc.compiler.passes.set_folding import NOTHING, SetFolding
from qnnc.compiler.reference import BatchRunner
from qnnc.compiler.resources import Resources
from qnnc.frontends.qonnx import from_proto
from qnnc.nodes.mvau.node import MVAU
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
def test_fifos_are_within_the_budget(
    residual: ir.Model, target: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
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
    margins, fold = list[float](), SetFolding.fold

    def noted(self: SetFolding, graph: Any, reserved: Any = NOTHING, margin: float = 1.0) -> None:
        margins.append(margin)
        fold(self, graph, reserved, margin)

    monkeypatch.setattr(SetFolding, "fold", noted)
    total = folded(residual, FitBudget(**goal), **goal)  # type: ignore[arg-type]
    assert len(margins) > 1 and set(margins) == {1.0}  # nothing is late
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


def test_a_search_that_is_broken_off_says_how_far_it_is(
    residual: ir.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = folded(residual, fps=40000.0)
    remove_inserted(residual)
    step = SetFolding(budget=0.99 * alone.LUT / DEVICE.LUT)
    graph = stream_graph(residual)
    whole = choose(graph, step.goal(graph))
    monkeypatch.setattr(problem, "MAX_NODES", 0)
    monkeypatch.setattr(problem, "GAP", 0.0)
    early = choose(graph, step.goal(graph))
    assert not early.resources.exceeding(step.allowed(graph))
    cost, best = (price(c.resources) for c in (early, whole))
    slower = max(o.cycles for o in early.options) > max(o.cycles for o in whole.options)
    assert slower or cost * (1 - early.gap) <= best * (1 + 1e-3)
    monkeypatch.setattr(set_folding, "WORTH_SAYING", -1.0)
    step.run(residual)
    assert "the search was broken off" in step.reasons[0].text


def test_what_a_search_leaves_open_is_said(
    residual: ir.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Probes that end at once leave a slower folding, or none, and say so."""
    alone = folded(residual, fps=40000.0)
    remove_inserted(residual)
    step = SetFolding(budget=0.99 * alone.LUT / DEVICE.LUT)
    graph = stream_graph(residual)
    whole = choose(graph, step.goal(graph))
    assert whole.undecided == 0
    monkeypatch.setattr(problem, "PROBE_NODES", 0)
    try:
        early = choose(graph, step.goal(graph))
    except TargetError as error:
        assert "as far as the search came" in str(error)
        return
    fast, slow = (max(o.cycles for o in c.options) for c in (whole, early))
    assert slow == fast or fast <= early.undecided < slow
    step.run(residual)
    told = any("is not known" in reason.text for reason in step.reasons)
    assert told == bool(early.undecided)


def price(resources: Resources) -> float:
    prices = Resources(1 / DEVICE.LUT, 0.1 / DEVICE.FF, 1 / DEVICE.BRAM18, 1 / DEVICE.DSP)
    return sum(n * getattr(prices, name) for name, n in resources.as_dict().items())


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
            nodes.label_select(labels=100, k=5, kind="INT8"),
            nodes.label_select(labels=1000, k=5, kind="INT8"),
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
    with pytest.raises(TargetError, match=r"with --batch 16 for [\d,]+ frames/s") as error:
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


TOO_BIG = MlpSpec((2048, 2048, 2048, 2048, 10), 2, 2, "relu", 2)


def declared(proto: onnx.ModelProto) -> ir.Model:
    model = from_proto(proto)
    name_sources(model)
    PassManager().run(model, declaring_passes(BuildOptions(model="", out=Path("unused"))))
    return model


def test_too_big_is_said_before_anything_is_compiled() -> None:
    """With what would fit, which then passes."""
    model, limit = declared(mlp(TOO_BIG)), DEVICE.scaled(0.8)
    words = r"too big for Pynq-Z1: its weights take at least 1\d\.\d Mbit.*--external-weights"
    with pytest.raises(TargetError, match=words) as error:
        check_size(model, limit, "Pynq-Z1")
    assert not re.search(r"weights of \d", str(error.value))  # one bit each is too much, too
    check_size(model, limit, "Pynq-Z1", external=True)
    check_size(model, DEVICE.scaled(float("inf")), "Pynq-Z1")
    with pytest.raises(TargetError, match="weights of 1 bits"):
        check_size(declared(mlp(MlpSpec((2048, 1400, 10), 4, 4, "relu", 4))), limit, "Pynq-Z1")


def test_what_memory_gives_is_a_figure() -> None:
    """Weights that do not fit come at most so often."""
    model, limit = declared(mlp(TOO_BIG)), DEVICE.scaled(0.8)
    with pytest.raises(TargetError) as error:
        check_size(model, limit, "Pynq-Z1", bytes_per_second=1e9)
    found = re.search(r"at least (\S+) Mbit of them, for at most ([\d,]+) frames", str(error.value))
    assert found
    rate = 1e9 * 8 / (float(found[1]) * (1 << 20))
    assert int(found[2].replace(",", "")) == pytest.approx(rate, rel=0.01)


def test_layers_without_number_are_refused_by_their_control() -> None:
    """Weights of a few hundred layers may fit while the layers do not."""
    layers = declared(mlp(MlpSpec((8, *[8] * 60, 10), 2, 2, "relu", 2)))
    check_size(layers, Resources(61 * 35 + 100, 0, 4, 0), "Pynq-Z1")
    with pytest.raises(TargetError, match="control of its 61 layers"):
        check_size(layers, Resources(61 * 35 - 1, 0, 4, 0), "Pynq-Z1")


def test_a_build_says_it_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "big.onnx"
    onnx.save(mlp(TOO_BIG), path)
    with pytest.raises(TargetError, match="too big for Pynq-Z1"):
        build(path, out=tmp_path / "out", until="estimate")


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_the_bound_is_below_what_any_folding_takes(bits: int) -> None:
    """Also of sparse weights, whose zeros logic does not store."""
    proto = mlp(MlpSpec((128, 64, 10), bits, bits, "relu", bits))
    bound = sum(layer.weight_bits + layer.luts * LUT_BITS for layer in layers_of(declared(proto)))
    model = compile_proto(proto, samples=2)[0]
    least = 0.0
    for node in stream_graph(model).nodes:
        found = [node.resources(folding) for folding in node.foldings()]
        least += min(r.BRAM18 * BLOCK_BITS + r.LUT * LUT_BITS for r in found)
    assert 0 < bound <= least


LATE = ("passes", "estimate", "rtl", "synthesize")


def too_low(monkeypatch: pytest.MonkeyPatch, share: float) -> None:
    """The resource model has but a share of an MVAU's logic; nothing is simulated."""
    true = MVAU.resources

    def less(node: MVAU, folding: Any) -> Resources:
        found = true(node, folding)
        return Resources(share * found.LUT, share * found.FF, found.BRAM18, found.DSP)

    monkeypatch.setattr(MVAU, "resources", less)
    stages = run.stages_until
    monkeypatch.setattr(
        run, "stages_until", lambda name: [s for s in stages(name) if s.name in LATE]
    )


def small(folder: Path) -> str:
    onnx.save(mlp(MlpSpec((24, 16, 16, 8), 2, 2)), folder / "m.onnx")
    return str(folder / "m.onnx")


def test_what_synthesis_takes_is_within_the_budget(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    too_low(monkeypatch, 0.5)
    model = small(tmp_path)
    fastest = build(model, out=tmp_path / "a", budget=0.03, until="estimate", verify="none")
    assert fastest.resources is not None
    budget = fastest.resources.estimate.LUT / DEVICE.LUT  # what it truly takes is more
    report = build(model, out=tmp_path / "b", budget=budget, until="synthesize", verify="none")
    assert report.resources is not None and report.resources.synthesis is not None
    assert report.resources.synthesis.LUT <= fastest.resources.estimate.LUT
    kept = [r.text for p in report.passes if p.name == "set-folding" for r in p.reasons]
    assert any(re.search(r"^\d+ LUT.* of the budget are kept free", text) for text in kept)
    assert [stage.name for stage in report.stages] == list(LATE)


def test_where_no_folding_fits_as_synthesised_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    too_low(monkeypatch, 0.1)
    with pytest.raises(TargetError, match=r"as synthesised .* LUT of the budget of 266.*--budget"):
        build(small(tmp_path), out=tmp_path / "b", budget=0.005, until="synthesize", verify="none")


def test_a_larger_budget_is_proposed_where_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a board that is too small as a whole, only fewer frames help."""
    board = find_board("Pynq-Z1")
    tiny = replace(
        board, name="Tiny", resources=replace(board.resources, LUT=1600.0)
    )  # the shell included
    monkeypatch.setattr(run, "find_board", lambda _name: tiny)
    too_low(monkeypatch, 0.1)
    with pytest.raises(TargetError, match=r"as synthesised .*\(--fps\)") as error:
        build(small(tmp_path), out=tmp_path / "b", budget=1.0, until="synthesize", verify="none")
    assert "--budget" not in str(error.value).partition("(with less of it")[0]
