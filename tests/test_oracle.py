# SPDX-License-Identifier: Apache-2.0
"""The second opinion itself: that it is one, that others share it, and that it notices."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from tests.generator import Case, random_case
from tests.generator.writer import QONNX, Writer
from tests.oracle import Oracle, elementwise
from tests.oracle.executors import by_onnx_runtime
from tests.oracle.node import Node
from tests.oracle.spans import Span, grid, round32
from tests.support.second_opinion import judge_executor

FOLDERS = ("oracle", "generator")
HERE = Path(__file__).parent


@pytest.mark.parametrize("folder", FOLDERS)
def test_shares_no_code_with_qnnc(folder: str) -> None:
    for path in (HERE / folder).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            for name in names:
                package = name.split(".")[:2]
                assert package[0] not in ("qnnc", "benchmarks"), f"{path.name} imports {name}"
                assert package[0] != "tests" or package[1] in FOLDERS, f"{path.name}: {name}"


def test_runs_without_qnnc() -> None:
    code = (
        "import sys; from tests.generator import random_case; from tests.oracle import Oracle;"
        "c = random_case(1); Oracle(c.proto).run(c.feeds); import tests.oracle.executors;"
        "sys.exit(any(m.split('.')[0] == 'qnnc' for m in sys.modules))"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], cwd=HERE.parent, check=False).returncode == 0
    )


def cases(flavour: str, count: int) -> list[Case]:
    """The first random cases of a flavour."""
    found: list[Case] = []
    seed = 0
    while len(found) < count:
        case = random_case(seed, 8)
        if case.flavour == flavour:
            found.append(case)
        seed += 1
    return found


@pytest.mark.parametrize(("flavour", "count"), [("qonnx", 25), ("qdq", 60), ("qoperator", 60)])
def test_executors_agree(flavour: str, count: int) -> None:
    """Every tensor of QONNX's executor, or of ONNX Runtime on the untouched file."""
    for case in cases(flavour, count):
        assert judge_executor(case, Oracle(case.proto)) == [], f"seed {case.seed}"


@pytest.mark.parametrize("flavour", ["qonnx", "qdq", "qoperator"])
def test_one_wrong_code_is_noticed(flavour: str) -> None:
    """Any code that is certain, moved by one, is a fault in that very tensor."""
    moved = 0
    for case in cases(flavour, 15):
        oracle = Oracle(case.proto)
        right = oracle.run(case.feeds)
        rng = np.random.default_rng(case.seed)
        for node in oracle.nodes:
            name, span = node.outputs[0], right.spans[node.outputs[0]]
            if "Q" not in node.op[:2] or span.constant or node.op == "DequantizeLinear":
                continue
            sure = np.argwhere(span.low == span.high)
            if not len(sure):
                continue
            step = 1.0
            if node.op == "Quant":
                scale = right.spans[node.inputs[1]].low
                step = np.broadcast_to(scale, span.shape)
            place = tuple(rng.choice(sure))
            wrong = span.low.copy()
            wrong[place] += step if np.ndim(step) == 0 else step[place]  # type: ignore[index]
            faults = oracle.run(case.feeds, {name: wrong}).faults
            assert [f.tensor for f in faults] == [name]
            assert faults[0].index == place
            moved += 1
    assert moved > 20


def quantized_sum(terms: int, scale: float, step: float) -> onnx.ModelProto:
    """Quant, a product with ones, Quant."""
    w = Writer(13)
    w.input("x", (terms,))

    def quant(name: str, size: float, bits: int) -> str:
        parts = [w.constant(v) for v in (size, 0.0, bits)]
        flags = {"signed": 1, "narrow": 0, "rounding_mode": "ROUND"}
        return w.op("Quant", name, *parts, domain=QONNX, **flags)[0]

    weights = quant(w.constant(np.full((terms, 1), scale)), scale, 2)
    total = w.op("MatMul", quant("x", scale, 8), weights)[0]
    return w.model([(quant(total, step, 8), (1,), TensorProto.FLOAT)])


@pytest.mark.parametrize(("scale", "certain"), [(0.5, True), (0.1, False)])
def test_ties_are_certain_where_sums_are_exact(scale: float, certain: bool) -> None:
    """Three times scale squared, in steps of two of it: halfway. In float32 0.1 is not a tenth."""
    proto = quantized_sum(3, scale, 2 * scale * scale)
    feeds = {"x": np.full((1, 3), scale, np.float32)}
    run = Oracle(proto).run(feeds)
    end = run.spans[proto.graph.output[0].name]
    assert bool(end.low == end.high) is certain
    if certain:
        assert end.low == 2 * 2 * scale * scale  # 1.5 to even
    else:
        assert run.open == 1
        assert end.high - end.low == pytest.approx(2 * scale * scale)


def test_codes_that_may_be_are_followed() -> None:
    """Where two codes may be, what follows is compared with what follows from the one taken."""
    w = Writer(13)
    proto = quantized_sum(3, 0.1, 0.02)
    w.nodes, w.constants, w.inputs = list(proto.graph.node), list(proto.graph.initializer), []
    w.input("x", (3,))
    end = proto.graph.output[0].name
    proto = w.model([(w.op("Mul", end, w.constant(3.0))[0], (1,), TensorProto.FLOAT)])
    feeds = {"x": np.full((1, 3), 0.1, np.float32)}
    oracle = Oracle(proto)
    for code in (1, 2):
        run = oracle.run(feeds, {end: np.array([[code * 0.02]])})
        oracle.hold(run, oracle.outputs[0], np.array([[code * 0.06]]))
        assert run.faults == []
        oracle.hold(run, oracle.outputs[0], np.array([[(3 - code) * 0.06]]))
        assert len(run.faults) == 1


NUMBERS = st.floats(-20, 20, width=32)
OPERANDS = {"Add": 2, "Sub": 2, "Mul": 2, "Div": 2, "Min": 2, "Max": 2, "PRelu": 2, "Pow": 2,
            "Greater": 2, "GreaterOrEqual": 2, "Less": 2, "LessOrEqual": 2, "Equal": 2}  # fmt: skip
SKIPPED = {"Where", "Softmax", "Cast", "Clip", "Sqrt", "Log"}
ALPHA = {"LeakyRelu", "Elu", "ThresholdedRelu", "Celu", "Selu", "HardSigmoid"}


@pytest.mark.parametrize("op", sorted(set(elementwise.HANDLERS) - SKIPPED))
@settings(max_examples=12, deadline=None, database=None)
@given(data=st.data())
def test_spans_hold_what_onnx_runtime_gives(op: str, data: st.DataObject) -> None:
    """At random places between both ends of a span, for random operands and parameters."""
    low = np.asarray(data.draw(st.lists(NUMBERS, min_size=8, max_size=8)), np.float32)
    width = np.float32(data.draw(st.sampled_from([0.0, 1e-5, 0.01, 1.0])))
    other = np.float32(data.draw(NUMBERS.filter(lambda v: abs(v) > 0.05)))
    if op == "Pow":
        other = np.float32(2)
    high = (low + width).astype(np.float32)
    attributes = {}
    if op in ALPHA:
        alpha = data.draw(
            st.floats(0.125 if op in ("Celu", "Elu", "HardSigmoid") else -2, 2, width=32)
        )
        attributes["alpha"] = alpha
    names = ["x", "c"][: OPERANDS.get(op, 1)]
    node = helper.make_node(op, names, ["y"], **attributes)
    span = elementwise.HANDLERS[
        op
    ](
        Node.of(node, 21),
        [
            Span(*(np.asarray(v, np.float64) for v in (low, high)), np.zeros(())),  # type: ignore[misc]
            Span.of(other.reshape(()), constant=True),
        ][: len(names)],
    )[0]
    share = np.asarray(data.draw(st.lists(st.floats(0, 1), min_size=8, max_size=8)))
    x = np.clip((low + (high - low) * share).astype(np.float32), low, high)
    kind = TensorProto.BOOL if op in ("Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Equal") \
        else TensorProto.FLOAT  # fmt: skip
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 8])],
        [helper.make_tensor_value_info("y", kind, [1, 8])],
        [onnx.numpy_helper.from_array(other.reshape(1), "c")],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    y = np.asarray(by_onnx_runtime(proto, {"x": x[None]})["y"], np.float64)[0]
    assert np.all(y >= span.low), (x, y, span.low)
    assert np.all(y <= span.high), (x, y, span.high)


@given(st.lists(st.integers(-(1 << 20), 1 << 20), min_size=1), st.integers(-20, 20))
def test_grid(numbers: list[int], exponent: int) -> None:
    array = np.asarray(numbers, np.float64) * 2.0**exponent
    step = grid(array)
    if not array.any():
        assert step == float("inf")
        return
    assert np.all(array / step == np.rint(array / step))
    assert np.any((array / step) % 2 == 1)
    assert np.array_equal(round32(array), array)
