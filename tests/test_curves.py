# SPDX-License-Identifier: Apache-2.0
"""Which way operators run: what is said of them, against dense evaluation in ONNX Runtime."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

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
