# SPDX-License-Identifier: Apache-2.0
"""Reductions over tokens between two layers: what is refused, and that the remedy works."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from benchmarks.qonnx_graph import QonnxGraph, Tensor
from qnnc.compiler.errors import QnncError
from tests.support.build import compile_proto, operators

TOKENS, FEATURES = 6, 4


def pooled(operator: str, axis: int, *, transposed: bool) -> onnx.ModelProto:
    """A layer on tokens, a reduction of [1, tokens, features] or its transpose, and a layer."""
    g = QonnxGraph()
    x = g.linear(Tensor(g.quantize(g.input((TOKENS, FEATURES)), 4, 1 / 8).name, (FEATURES,)), 4, 4)
    y = g.quantize(x, 4, 1 / 4).name
    if transposed:
        y = g.op("Transpose", [y], perm=[0, 2, 1])[0]
    if operator == "GlobalMaxPool":
        y = g.op("Flatten", [g.op(operator, [y])[0]])[0]
    else:
        y = g.op(operator, [y, g.constant([axis], np.int64)], keepdims=0)[0]
    return g.model(g.linear(g.quantize(Tensor(y, (FEATURES,)), 4, 1 / 4), 3, 4), opset=18)


@pytest.mark.parametrize(
    ("operator", "axis", "remedy"),
    [
        ("ReduceMean", 1, "transpose or reshape its input"),
        ("ReduceSum", 1, "transpose or reshape its input"),
        ("ReduceMean", 0, "over the batch is not supported"),
        ("ReduceMax", 1, "use GlobalMaxPool or MaxPool"),
    ],
)
def test_refused(operator: str, axis: int, remedy: str) -> None:
    with pytest.raises(QnncError, match=remedy):
        compile_proto(pooled(operator, axis, transposed=False), samples=4)


@pytest.mark.parametrize(
    ("operator", "node"),
    [("ReduceMean", "GlobalAccPool"), ("ReduceSum", "GlobalAccPool"), ("GlobalMaxPool", "Pool")],
)
def test_transposed(operator: str, node: str) -> None:
    proto = pooled(operator, 2, transposed=True)
    model, outcome, _ = compile_proto(proto, samples=16, fold=True, each=False)
    assert outcome.mismatches == 0 and outcome.tensors > 0
    assert node in operators(model)
