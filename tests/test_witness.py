# SPDX-License-Identifier: Apache-2.0
"""A network's own forward against the golden graph: what is counted, and where it starts."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from qnnc.compiler.frontend import Witness
from qnnc.compiler.verification import Golden
from qnnc.compiler.verification.witness import hear
from qnnc.frontends.qonnx import from_proto

Layers = list[tuple[str, NDArray[Any]]]
X = np.linspace(-3, 3, 24, dtype=np.float32).reshape(6, 4)


def golden(outputs: tuple[str, ...] = ("c",)) -> Golden:
    """a = 2x, b = a + 1, c = b / 4: sums that the golden graph keeps, and its output."""
    numbers = {"two": 2.0, "one": 1.0, "four": 4.0}
    steps = [("Mul", "x", "two", "a"), ("Add", "a", "one", "b"), ("Div", "b", "four", "c")]
    graph = helper.make_graph(
        [helper.make_node(op, [x, y], [z], name=f"n_{z}") for op, x, y, z in steps],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])],
        [helper.make_tensor_value_info(y, TensorProto.FLOAT, [1, 4]) for y in outputs],
        [numpy_helper.from_array(np.float32(n), name) for name, n in numbers.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    return Golden(from_proto(onnx.shape_inference.infer_shapes(model)))


def module(*, first: float = 0.0, second: float = 0.0, last: float = 0.0) -> Witness:
    """The same network, each layer off by something in its first element of each sample."""

    def forward(x: NDArray[np.float32]) -> Layers:
        off = np.zeros_like(x)
        off[:, 0] = 1
        a = 2 * x + first * off
        b = a + 1 + second * off
        return [("first", a), ("second", b), ("", b / 4 + last * off)]

    return forward


def test_a_network_that_is_the_same_differs_nowhere() -> None:
    found = hear(module(), golden(), X)
    assert found is not None
    assert (found.samples, found.elements, found.differ, found.layer) == (6, 24, 0, "")
    assert found.largest <= 1e-6


@pytest.mark.parametrize(
    ("off", "layer"), [({"second": 0.4}, "second"), ({"last": 0.1}, ""), ({"first": 0.4}, "")]
)
def test_where_a_difference_starts(off: dict[str, float], layer: str) -> None:
    """Named only where a layer before it agrees, so that the two networks are known to be one."""
    found = hear(module(**off), golden(), X)
    assert found is not None
    assert found.differ == 6
    outputs = (2 * X + 1) / 4
    expected = (0.4 / 4 if "last" not in off else 0.1) / np.abs(outputs + 0).max()
    assert found.largest == pytest.approx(expected, rel=0.2)
    assert found.layer == layer


def test_rounding_is_no_difference_and_a_step_is() -> None:
    largest = float(np.abs((2 * X + 1) / 4).max())
    for share, differ in ((5e-4, 0), (2e-3, 6)):
        found = hear(module(last=share * largest), golden(), X)
        assert found is not None and found.differ == differ


def test_what_cannot_be_compared_is_not() -> None:
    assert hear(module(), golden(("b", "c")), X) is None
    assert hear(lambda x: [], golden(), X) is None
    assert hear(lambda x: [("named", x)], golden(), X) is None
    assert hear(lambda x: [("", x[:, :2])], golden(), X) is None


def test_few_samples_are_enough() -> None:
    seen: list[int] = []

    def forward(x: NDArray[np.float32]) -> Layers:
        seen.append(len(x))
        return module()(x)

    found = hear(forward, golden(), np.zeros((100, 4), np.float32))
    assert found is not None and found.samples == 64 and seen == [64]
