# SPDX-License-Identifier: Apache-2.0
"""merge-thresholds: quantizers in a row become one table that gives the same."""

from __future__ import annotations

import numpy as np
import onnx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from tests.support.build import compile_proto, operators

QONNX = "qonnx.custom_op.general"


def chain(
    scales: list[float], bits: list[int], relu: list[bool], per_channel: bool, seed: int
) -> onnx.ModelProto:
    """Quant, MatMul with a scale for each output or one, then quantizers in a row."""
    rng = np.random.default_rng(seed)
    nodes: list[onnx.NodeProto] = []
    constants: list[onnx.TensorProto] = []

    def constant(name: str, array: object) -> str:
        constants.append(numpy_helper.from_array(np.asarray(array, np.float32), name))
        return name

    def quant(x: str, y: str, scale: object, width: int, signed: int) -> str:
        rest = [constant(f"{y}_{n}", v) for n, v in (("s", scale), ("z", 0), ("b", width))]
        nodes.append(
            helper.make_node(
                "Quant", [x, *rest], [y], name=y, domain=QONNX, signed=signed, narrow=0
            )
        )
        return y

    step = rng.uniform(0.05, 0.2, (1, 4)) if per_channel else 0.1
    weights = quant(constant("w", rng.normal(size=(6, 4))), "w_q", step, 4, 1)
    nodes.append(helper.make_node("MatMul", [quant("x", "x_q", 0.1, 4, 1), weights], ["sum"]))
    y = "sum"
    for i, (scale, width, rectified) in enumerate(zip(scales, bits, relu, strict=True)):
        if rectified:
            nodes.append(helper.make_node("Relu", [y], [f"r{i}"], name=f"relu{i}"))
            y = f"r{i}"
        y = quant(y, f"q{i}", scale, width, signed=int(not rectified))
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 6])],
        [helper.make_tensor_value_info(y, TensorProto.FLOAT, [1, 4])],
        constants,
    )
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid(QONNX, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), per_channel=st.booleans(), seed=st.integers(0, 10**6))
def test_quantizers_in_a_row(data: st.DataObject, per_channel: bool, seed: int) -> None:
    count = data.draw(st.integers(2, 3))
    scales = data.draw(st.lists(st.floats(0.02, 0.5), min_size=count, max_size=count))
    bits = data.draw(st.lists(st.integers(2, 6), min_size=count, max_size=count))
    relu = data.draw(st.lists(st.booleans(), min_size=count, max_size=count))
    proto = chain(scales, bits, relu, per_channel, seed)
    model, outcome, _ = compile_proto(proto, samples=48)
    assert outcome.mismatches == 0
    assert operators(model).count("Thresholding") == 1


def test_a_quantizer_that_others_use_keeps_its_table() -> None:
    proto = chain([0.1, 0.3], [5, 3], [False, True], False, 0)
    proto.graph.output.append(helper.make_tensor_value_info("q0", TensorProto.FLOAT, [1, 4]))
    model, outcome, _ = compile_proto(proto, samples=48)
    assert outcome.mismatches == 0
    assert operators(model).count("Thresholding") == 2
