# SPDX-License-Identifier: Apache-2.0
"""Which way operators run: what is said of them, against dense evaluation in ONNX Runtime."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from qnnc.compiler.ir.edit import QNNC, Editor
from qnnc.compiler.tails.curves import KNOWN, ROUNDING, Curve, curve

POINTS = 40_000
OPSET = 20


def one_node(op: str, constants: dict[int, np.ndarray], count: int, **attributes: Any) -> Any:
    """A model of one operator on x [N, 3], the other inputs constant, and its node."""
    inputs = [f"c{i}" if i in constants else "x" for i in range(count)]
    fixed = [numpy_helper.from_array(a, f"c{i}") for i, a in constants.items()]
    compares = op.startswith(("Greater", "Less"))
    kind = attributes.get("to", TensorProto.BOOL if compares else TensorProto.FLOAT)
    graph = helper.make_graph(
        [helper.make_node(op, inputs, ["y"], **attributes)],
        "one",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3])],
        [helper.make_tensor_value_info("y", kind, None)],
        fixed,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9)
    graph_ir = ir.from_proto(model).graph
    graph_ir.inputs[0].shape = ir.Shape([1, 3])
    return model, next(iter(graph_ir))


def draw(rng: np.random.Generator, op: str) -> Any:
    """An operator with random parameters, of every kind that may stand before a quantizer."""

    def numbers(*shape: int) -> np.ndarray:
        return (rng.normal(size=shape) * 2).astype(np.float32)

    alpha = float(np.float32(rng.normal() * 2))
    first = int(rng.integers(2))  # which input is the constant
    if op in ("Add", "Sub", "Mul", "Div", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"):
        return one_node(op, {first: numbers(3)}, 2)
    if op == "BatchNormalization":
        parameters = {1: numbers(3), 2: numbers(3), 3: numbers(3), 4: np.abs(numbers(3))}
        return one_node(op, parameters, 5)
    if op == "Clip":
        low = numbers()
        return one_node(op, {1: low, 2: low + np.float32(rng.random() * 3)}, 3)
    if op in ("Min", "Max"):
        return one_node(op, {1: numbers(3), 2: numbers()}, 3)
    if op == "PRelu":
        return one_node(op, {1: numbers(3)}, 2)
    if op == "Pow":
        return one_node(op, {1: np.float32(rng.choice([1, 2, 3, 0.5, 4])).reshape(())}, 2)
    if op == "Cast":
        kinds = (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.INT8, TensorProto.BOOL)
        return one_node(op, {}, 1, to=int(rng.choice(kinds)))
    if op in ("LeakyRelu", "Elu", "ThresholdedRelu", "Celu", "HardSigmoid"):
        return one_node(op, {}, 1, alpha=alpha)
    if op == "Selu":
        return one_node(op, {}, 1, alpha=alpha, gamma=abs(alpha) + 0.1)
    if op == "Gelu":
        return one_node(op, {}, 1, approximate=str(rng.choice(["none", "tanh"])))
    return one_node(op, {}, 1)


def pieces(found: Curve, x: np.ndarray) -> np.ndarray:
    """The number of each x's piece."""
    side = "left" if found.after else "right"
    return np.searchsorted(np.array(found.cuts), x, side)


@pytest.mark.parametrize("op", sorted(set(KNOWN) - {"Dequantize"}))
def test_operators_run_as_their_curves_say(op: str) -> None:
    rng = np.random.default_rng(sum(map(ord, op)))
    judged = 0
    for _ in range(12):
        model, node = draw(rng, op)
        found = curve(node)
        if found is None:
            continue
        judged += 1
        reach = rng.choice([3.0, 30.0, 3000.0])
        x = np.sort(rng.uniform(-reach, reach, POINTS)).astype(np.float32)
        if found.cuts:  # and all float32 around the turning point
            near = np.float32(found.cuts[0])
            around = near + np.arange(-500, 500) * np.spacing(np.maximum(abs(near), 1e-3))
            x = np.sort(np.concatenate([x, around.astype(np.float32)]))
        session = ort.InferenceSession(
            model.SerializeToString(), providers=["CPUExecutionProvider"]
        )
        feeds = {"x": np.repeat(x[:, None], 3, axis=1)}
        y = np.asarray(session.run(None, feeds)[0]).astype(np.float64)
        number = pieces(found, x.astype(np.float64))
        for piece, sign in enumerate(found.signs):
            own = y[number == piece] * np.broadcast_to(sign, (1, 3))
            highest = np.maximum.accumulate(own, axis=0)
            alike = highest == own  # infinite ones among them
            back = np.where(alike, 0, highest) - np.where(alike, 0, own)
            slack = found.rounded * ROUNDING / 2 * np.maximum(np.abs(highest), 1)
            assert np.all(back <= slack), f"{op} goes back by {back.max():g} in piece {piece}"
    assert judged >= 3


@pytest.mark.parametrize(
    ("op", "attributes"),
    [
        ("Cast", {"to": TensorProto.BOOL}),
        ("Cast", {"to": TensorProto.INT8}),
        ("Cast", {"to": TensorProto.UINT8}),
        ("Celu", {"alpha": -1.0}),
        ("Sin", {}),
        ("Reciprocal", {}),
        ("Not", {}),
    ],
)
def test_what_is_not_on_the_list_has_no_curve(op: str, attributes: dict[str, Any]) -> None:
    assert curve(one_node(op, {}, 1, **attributes)[1]) is None


def test_what_turns_round_is_not_said_to_rise() -> None:
    for op, alpha in (("Elu", -1.0), ("LeakyRelu", -0.1), ("ThresholdedRelu", -1.0)):
        found = curve(one_node(op, {}, 1, alpha=alpha)[1])
        assert found is not None
        assert not found.never_falls
    assert curve(one_node("Div", {0: np.ones(3, np.float32)}, 2)[1]) is None
    assert curve(one_node("Div", {1: np.zeros(3, np.float32)}, 2)[1]) is None
    assert curve(one_node("Add", {}, 2)[1]) is None


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize(
    "op", ["Add", "Sub", "Mul", "Min", "Max", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"]
)
def test_a_constant_may_stand_on_either_side(op: str, first: int) -> None:
    """Negative numbers, so that a product turns; a comparison and a difference by their side."""
    numbers = np.float32([-1.0, -2.0, -0.5])
    found = curve(one_node(op, {first: numbers}, 2)[1])
    assert found is not None and not found.cuts
    turned = {
        "Mul": True,
        "Sub": first == 0,
        "Greater": first == 0,
        "GreaterOrEqual": first == 0,
        "Less": first == 1,
        "LessOrEqual": first == 1,
    }
    assert found.never_falls != turned.get(op, False)


@pytest.mark.parametrize("number", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("op", ["Add", "Sub", "Mul", "Div", "PRelu", "BatchNormalization"])
def test_parameters_that_are_not_finite_have_no_curve(op: str, number: float) -> None:
    """A sum with infinity is the same everywhere, or no number."""
    numbers = np.float32([1.0, number, 2.0])
    if op == "BatchNormalization":
        fine = np.float32([1.0, 1.0, 2.0])
        for wrong in range(1, 5):
            parameters = {i: numbers if i == wrong else fine for i in range(1, 5)}
            assert curve(one_node(op, parameters, 5)[1]) is None
    else:
        assert curve(one_node(op, {1: numbers}, 2)[1]) is None
    for op_, name in (("Elu", "alpha"), ("LeakyRelu", "alpha"), ("ThresholdedRelu", "alpha")):
        assert curve(one_node(op_, {}, 1, **{name: float(number)})[1]) is None


def test_batch_norms_that_would_divide_by_zero_have_no_curve() -> None:
    fine, none = np.float32([1.0, 1.0, 2.0]), np.float32([1.0, -1.0, 2.0])
    norm = {1: fine, 2: fine, 3: fine, 4: none}
    assert curve(one_node("BatchNormalization", norm, 5, epsilon=1.0)[1]) is None
    assert curve(one_node("BatchNormalization", norm, 5, epsilon=1.5)[1]) is not None


def test_a_scale_turns_what_it_scales_and_an_offset_does_not() -> None:
    x = ir.Value(name="x", shape=ir.Shape([1, 2]), type=ir.TensorType(ir.DataType.FLOAT))
    editor = Editor(ir.Graph([x], [], nodes=[], name="one", opset_imports={"": OPSET, QNNC: 1}))
    scale, offset = (editor.initializer("c", np.float32(a)) for a in ([-1, 2], [3, -4]))
    y = editor.insert(None, "Dequantize", [x, scale, offset], "y", domain=QNNC)
    node = y.producer()
    assert node is not None
    found = curve(node)
    assert found is not None and found.signs[0].tolist() == [-1, 1] and not found.cuts
    assert not found.never_falls
