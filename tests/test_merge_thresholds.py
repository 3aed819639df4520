# SPDX-License-Identifier: Apache-2.0
"""merge-thresholds: quantizers in a row become one table that gives the same."""

from __future__ import annotations

import onnx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.qonnx_graph import QonnxGraph, Tensor
from tests.support.build import compile_proto, operators


def chain(
    scales: list[float],
    bits: list[int],
    relu: list[bool],
    per_channel: bool,
    seed: int,
    also: int = 0,
) -> onnx.ModelProto:
    """Quant, MatMul with a scale for each output or one, then quantizers in a row; the results of
    the first `also` of them are outputs too."""
    g = QonnxGraph(seed)
    step = g.rng.uniform(0.05, 0.2, (1, 4)) if per_channel else 0.1
    w = g.quantize(Tensor(g.constant(g.rng.normal(size=(6, 4))), (6, 4)), 4, step)
    x = g.quantize(g.input((6,)), 4, 0.1)
    y = Tensor(g.op("MatMul", [x.name, w.name])[0], (4,))
    codes = []
    for scale, width, rectified in zip(scales, bits, relu, strict=True):
        if rectified:
            y = Tensor(g.op("Relu", [y.name])[0], (4,))
        y = g.quantize(y, width, scale, signed=not rectified)
        codes.append(y)
    return g.model(y, *codes[:also])


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
    proto = chain([0.1, 0.3], [5, 3], [False, True], False, 0, also=1)
    model, outcome, _ = compile_proto(proto, samples=48)
    assert outcome.mismatches == 0
    assert operators(model).count("Thresholding") == 2
