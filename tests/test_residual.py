# SPDX-License-Identifier: Apache-2.0
"""Residual binarisation: sums of binary tensors, each of what the ones before left over."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.qonnx_graph import QonnxGraph, Tensor
from qnnc.backends.simulation.simulate import Pressure
from qnnc.compiler import api
from qnnc.compiler.dataflow import is_dataflow
from qnnc.compiler.errors import Unsupported
from qnnc.compiler.integer.residual import MAX_FACTOR_BITS, grid_of
from tests.support import witness
from tests.support.build import compile_proto
from tests.support.graph_check import simulated_failure
from tests.test_cases import agree


def residual(g: QonnxGraph, x: Tensor, scales: list[float]) -> list[Tensor]:
    """The binary terms of a tensor: each of the rest."""
    terms, rest = [], x
    for number, scale in enumerate(scales):
        terms.append(g.quantize(rest, 1, scale))
        if number + 1 < len(scales):
            rest = Tensor(g.op("Sub", [rest.name, terms[-1].name])[0], x.shape)
    return terms


def added(g: QonnxGraph, terms: list[Tensor]) -> Tensor:
    """Their sum."""
    total = terms[0]
    for term in terms[1:]:
        total = g.add(total, term)
    return total


def network(
    scales: list[float], *, conv: bool = False, split: bool = False, weight_bits: int = 1, seed: int
) -> onnx.ModelProto:
    """Two layers with a residual quantizer between; with `split` the second one term by term."""
    g = QonnxGraph(seed)
    x = g.quantize(g.input((2, 5, 5) if conv else (12,)), 4, 0.25)
    y = g.conv(x, 6, (3, 3), 2) if conv else g.linear(x, 7, 2)
    terms = residual(g, g.batch_norm(y, both_signs=True), scales)
    if conv:
        y = g.conv(added(g, terms), 3, (2, 2), weight_bits)
    elif split:
        w = g.weights((7, 4), weight_bits)
        y = added(g, [Tensor(g.op("MatMul", [t.name, w])[0], (4,)) for t in terms])
    else:
        y = g.linear(added(g, terms), 4, weight_bits)
    return g.model(g.quantize(g.batch_norm(y), 3, 0.3))


LEARNED = [0.8317243, 0.3721911, 0.1934517]
SCALES = st.lists(st.floats(0.0625, 1.5, width=32), min_size=2, max_size=3)
"""Not in falling order on purpose: nothing here relies on that."""


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(scales=SCALES, form=st.sampled_from(["sum", "split", "conv"]), seed=st.integers(0, 10**6))
def test_learned_scales(scales: list[float], form: str, seed: int) -> None:
    proto = network(scales, conv=form == "conv", split=form == "split", seed=seed)
    _, outcome, _ = compile_proto(proto, samples=64, each=False)
    assert outcome.mismatches == 0


@pytest.mark.parametrize("terms", [2, 3])
def test_powers_of_two_are_one_tensor_of_as_many_bits(terms: int) -> None:
    proto = network([0.5**i for i in range(terms)], seed=terms)
    model, outcome, _ = compile_proto(proto, samples=64)
    assert outcome.mismatches == 0
    nodes = [node for node in model.graph if is_dataflow(node)]
    assert [n.op_type for n in nodes] == ["MVAU", "Thresholding", "MVAU", "Thresholding"]
    assert nodes[1].attributes["outputDataType"].value == f"UINT{terms}"


def test_learned_scales_are_products_of_single_bits() -> None:
    model, outcome, _ = compile_proto(network(LEARNED[:2], seed=5), samples=64)
    assert outcome.mismatches == 0
    products = [n for n in model.graph if n.op_type == "MVAU"][1:]
    assert [n.attributes["inputDataType"].value for n in products] == ["BINARY", "BINARY"]


@pytest.mark.parametrize("scales", [[1.0, 0.5], LEARNED[:2]])
def test_hardware_is_exact_under_back_pressure(scales: list[float], cache: Path) -> None:
    proto = network(scales, seed=4)
    assert simulated_failure(proto, cache, Pressure(source=60, sink=40, seed=3)) is None


@pytest.mark.parametrize("conv", [False, True])
def test_others_agree(conv: bool, tmp_path: Path) -> None:
    proto = network(LEARNED, conv=conv, seed=8)
    onnx.save(proto, path := tmp_path / "residual.onnx")
    api.compile(path, out=tmp_path / "build")
    agree(tmp_path / "build", path, witness.random_inputs(path, 24))


def test_scales_that_need_too_many_bits() -> None:
    factors, scale = grid_of((0.75, 0.1875))
    assert factors == [4, 1] and scale == 0.1875
    a, b = float(np.float32(0.83)), float(np.float32(0.37))
    factors, scale = grid_of((a, b))
    assert factors[0] * b == factors[1] * a and max(factors) < 1 << 25
    with pytest.raises(Unsupported, match=f"{MAX_FACTOR_BITS} bits"):
        grid_of((a, b * 2.0**-20))
