# SPDX-License-Identifier: Apache-2.0
"""Recurrences: an LSTM as one loop in hardware, against Brevitas' forward, a definition in numpy,
and the same cell written out step by step."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import numpy_helper

from qnnc.backends.simulation.simulate import Pressure
from qnnc.compiler.buffering import depths
from qnnc.compiler.dataflow import is_dataflow
from qnnc.compiler.dataflow.stream_graph import StreamGraph, stream_graph
from qnnc.compiler.errors import ModelError, TargetError
from qnnc.compiler.folding import recurrence
from qnnc.compiler.folding.goal import Goal, apply_choice, choose
from qnnc.compiler.passes.choose_backend import ChooseBackend
from qnnc.compiler.reference import BatchRunner
from qnnc.compiler.resources import Resources
from tests.conftest import shared_file
from tests.support import witness
from tests.support.build import compile_model, compile_proto, compile_with_verifier
from tests.support.emulator import run_emulator
from tests.support.graph_check import simulated_failure
from tests.support.lstm import Lstm
from tests.support.recurrent import hidden_states

DEVICE = Resources(53200, 106400, 280, 220)
FLOAT32 = 1e-5
"""Steps from a halfway place within which float32 may round either way."""


def outputs(model: Any, x: np.ndarray) -> list[np.ndarray]:
    """What a compiled model gives for samples."""
    found = BatchRunner(model).run({str(model.graph.inputs[0].name): x})
    return [found[str(value.name)] for value in model.graph.outputs]


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    bits=st.sampled_from([2, 4, 6]),
    steps=st.sampled_from([1, 3, 6]),
    switches=st.lists(st.booleans(), min_size=5, max_size=5),
    seed=st.integers(0, 10**6),
)
def test_a_cell_is_what_brevitas_computes(
    bits: int, steps: int, switches: list[bool], seed: int
) -> None:
    names = ("bias", "coupled", "reverse", "batch_first", "start")
    lstm = Lstm(steps=steps, bits=bits, seed=seed, **dict(zip(names, switches, strict=True)))
    model, outcome, _ = compile_proto(lstm.model(), samples=6, each=False)
    assert outcome.mismatches == 0
    x = np.random.default_rng(seed).normal(size=(6, *lstm.shape)).astype(np.float32)
    x = x[:, 0] if lstm.batch_first else x
    found = outputs(model, x)
    for i, sample in enumerate(x):
        forward = lstm.forward(sample.reshape(steps, -1))
        if lstm.nearest < FLOAT32:
            continue  # halfway between two codes: float32's rounding decides, not arithmetic
        for mine, theirs in zip(found, forward, strict=True):
            assert np.array_equal(mine[i].reshape(theirs.shape), theirs)


def loaded(module: Any, x: Any) -> Any:
    """What the frontend makes of it."""
    from qnnc.frontends.brevitas import load

    return load(module, x)


@pytest.mark.parametrize(
    "options",
    [
        {"bidirectional": True, "weight_bit_width": 4, "io_bit_width": 4},
        {"num_layers": 2, "coupled_input_forget_gates": True},
    ],
    ids=["both ways", "two layers"],
)
def test_brevitas_own_forward(options: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    module = hidden_states("QuantLSTM", 5, 4, batch_first=True, **options)
    with torch.no_grad():
        module.train()(torch.randn(16, 6, 5))  # the scales settle
        module.eval()
        x = torch.randn(64, 6, 5)
        expected = module(x).numpy()
    model, outcome, _ = compile_model(loaded(module, x[:1]), samples=6, each=False)
    assert outcome.mismatches == 0
    assert np.array_equal(outputs(model, x.numpy())[0].reshape(expected.shape), expected)


def test_the_loop_gives_what_its_steps_written_out_give() -> None:
    """unrolled3.onnx has three steps of a cell without bias, each with operators of its own."""
    path = shared_file("cases/recurrent/unrolled3.onnx")
    proto = onnx.load(path)
    weights = {t.name: numpy_helper.to_array(t) for t in proto.graph.initializer}
    scales = {"weight": 0.0625, "output": 0.125, "cell_state": 0.0078125, "cell_tanh": 0.125}
    scales |= {f"{gate}_acc": 0.0078125 for gate in ("input", "forget", "cell", "output")}
    scales["hidden_state_tanh"] = 0.125
    lstm = Lstm(6, 8, 3, bias=False, scales=scales)
    for number, gate in enumerate(("input", "forget", "cell", "output")):
        for kind, size in (("x", 6), ("h", 8)):
            lstm.weights[gate, size] = np.clip(weights[f"cell.{kind}.{number}.weight"], -0.4375, 1)
    model, outcome, _ = compile_proto(lstm.model(), samples=6, each=False)
    assert outcome.mismatches == 0
    x = np.random.default_rng(0).normal(size=(8, 18)).astype(np.float32)
    hidden = outputs(model, x.reshape(8, 3, 6))[1].reshape(8, 8)
    head = weights["f.weight"]
    step = np.abs(head).max() / 7
    head = np.rint(head / np.float32(step)) * np.float32(step)
    expected = witness.run(path, {proto.graph.input[0].name: x})
    scores = hidden @ head.T
    assert np.allclose(scores, next(iter(expected.values())).reshape(8, -1), atol=1e-5)


@pytest.mark.parametrize("reverse", [False, True])
def test_hardware_is_exact_under_back_pressure(reverse: bool, cache: Path) -> None:
    proto = Lstm(3, 4, 4, start=True, reverse=reverse, seed=3).model(head=3)
    assert simulated_failure(proto, cache, Pressure(source=60, sink=40, seed=3)) is None


def test_the_emulator_compares_every_recurrence(cache: Path) -> None:
    """Streams out of a first recurrence are compared before a second one has read them."""
    torch = pytest.importorskip("torch")
    module = hidden_states(
        "QuantLSTM", 3, 2, batch_first=True, num_layers=2, coupled_input_forget_gates=True
    )
    with torch.no_grad():
        module.train()(torch.randn(16, 3, 3))  # the scales settle
        module.eval()
    given = loaded(module, torch.randn(1, 3, 3))
    model, verifier = compile_with_verifier(given, samples=2, fps=100)
    graph = stream_graph(model)
    streams = list(dict.fromkeys(e.value for e in (*graph.edges, *graph.feedback)))
    _, tensors = verifier.check_and_keep(model, streams, 2)
    found = run_emulator(model, tensors, cache)
    assert (found.mismatches, found.tensors > 50) == (0, True), found.detail


def test_folding_keeps_the_pace_of_the_steps() -> None:
    proto = Lstm(8, 8, 6).model(head=3)
    slow, _, _ = compile_proto(proto, samples=2, each=False, fold=True, fps=1000)
    quick, _, _ = compile_proto(proto, samples=2, each=False, fold=True, fps=130_000)
    assert _lanes(quick) > _lanes(slow)
    with pytest.raises(TargetError, match="wait for each other") as error:
        compile_proto(proto, samples=2, each=False, fold=True, fps=1_000_000)
    assert len(re.findall(r"[\d,]+ cycles", str(error.value))) == 2  # none of hurried nodes
    assert "cannot be any faster" in str(error.value)


def test_the_fastest_folding_of_a_recurrence_is_the_one_applied(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, _, _ = compile_proto(Lstm(8, 8, 6).model(head=3), samples=2, each=False)
    graph = stream_graph(model)
    goal = Goal(DEVICE, DEVICE, 100.0)
    quick = choose(graph, goal)
    slow = replace(
        quick,
        options=tuple(
            replace(option, folding=max(node.foldings(), key=node.cycles))
            for node, option in zip(graph.nodes, quick.options, strict=True)
        ),
    )
    apply_choice(graph, quick)
    slowest = _slowest(graph)
    monkeypatch.setattr(depths, "pace_of", lambda graph: max(2 * slowest, _slowest(graph)))
    monkeypatch.setattr(recurrence, "choose", lambda *_: slow)  # as hurried nodes leave the others
    assert recurrence.paced(graph, goal, quick, (), 1.0) is quick
    assert [node.folding() for node in graph.nodes] == [o.folding for o in quick.options]


@pytest.mark.parametrize("choice", ["hls", "rtl,previous_states_0=hls", "hls,NextStates=hls"])
def test_the_ends_of_a_recurrence_are_rtl_as_the_error_says(choice: str) -> None:
    model, _, _ = compile_proto(Lstm(3, 4, 2).model(), samples=2, each=False)
    refusals = 0
    while refusals < 4:
        try:
            ChooseBackend(choice)(model)
            break
        except ModelError as error:
            choice = str(error).partition("give --backend ")[2]
            refusals += 1
    assert refusals == (1 if choice.startswith("rtl") else 2)


def _slowest(graph: StreamGraph) -> int:
    return max(node.cycles(node.folding()) for node in graph.nodes)


def _lanes(model: Any) -> int:
    nodes = [n for n in model.graph if is_dataflow(n) and n.op_type == "MVAU"]
    return sum(n.attributes["PE"].value * n.attributes["SIMD"].value for n in nodes)


def test_what_cannot_be_carried_from_step_to_step() -> None:
    proto = Lstm().model()
    proto.graph.node[0].op_type, proto.graph.node[0].domain = "Identity", ""
    del proto.graph.node[0].input[1:], proto.graph.node[0].attribute[:]
    with pytest.raises(ModelError, match=r"'cell': its input .* has no quantizer; quantize it"):
        compile_proto(proto)
    proto = Lstm().model()
    proto.graph.node[-1].input[1] = "h0"
    proto.graph.input.append(
        onnx.helper.make_tensor_value_info("h0", onnx.TensorProto.FLOAT, [1, 4])
    )
    with pytest.raises(ModelError, match=r"'cell': its initial state .* give a constant one"):
        compile_proto(proto)
    with pytest.raises(ModelError, match="scales that are not small multiples"):
        lstm = Lstm()
        proto = lstm.model()
        scale = next(t for t in proto.graph.initializer if t.name == proto.graph.node[5].input[1])
        scale.CopyFrom(numpy_helper.from_array(np.float32(0.0731), scale.name))
        compile_proto(proto)
