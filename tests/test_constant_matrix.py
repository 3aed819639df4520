# SPDX-License-Identifier: Apache-2.0
"""Weights as logic: exact in RTL down to the primitives, and as cheap as their zeros say."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmarks.networks import MlpSpec, mlp
from qnnc.backends.bitstream.update.update import check_same
from qnnc.backends.rtl.stitch import stitch
from qnnc.compiler.api import build
from qnnc.compiler.dataflow import declaration
from qnnc.compiler.dataflow.constant_matrix import MatrixPlan, plan_matrix
from qnnc.compiler.dataflow.constant_matrix.digits import signed_digits
from qnnc.compiler.errors import ModelError
from qnnc.compiler.folding.options import options_of
from qnnc.nodes.mvau.cases import embedded, in_logic, mvau
from qnnc.nodes.testing import PRESSURES, agreed, model_of, random_inputs
from tests.support.rtl import run_rtl

ONE_FRAME_PER_CYCLE = 1


def test_rtl_is_exact_in_primitives_and_under_back_pressure(cache: Path) -> None:
    """As the cells that go into synthesis; what all cases of MVAU run over is their behaviour."""
    cases = in_logic()
    model = model_of(cases)
    tensors = agreed(cases, model, random_inputs(cases, frames=12))
    for pressure in PRESSURES[:2]:
        assert run_rtl(model, tensors, cache, pressure=pressure, cells=True).mismatches == 0


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(-(1 << 20), 1 << 20), min_size=1, max_size=40))
def test_digits_are_the_weights_and_never_neighbours(weights: list[int]) -> None:
    digits = signed_digits(np.array(weights, dtype=np.int64)).astype(np.int64)
    assert (digits @ (1 << np.arange(digits.shape[-1]))).tolist() == weights
    assert not (digits[..., 1:] * digits[..., :-1]).any()


def plan(weights: NDArray[np.int64], bits: int, high: int | None = None) -> MatrixPlan:
    top = (1 << bits) - 1 if high is None else high
    constants = np.zeros(weights.shape[1], dtype=np.int64)
    return plan_matrix(weights, constants, x_bits=bits, x_signed=False, low=0, high=top)


def test_zeros_and_powers_of_two_are_free() -> None:
    weights = np.diag(1 << np.arange(8))
    assert plan(weights, 4).luts == 0
    assert plan(np.zeros((8, 8), dtype=np.int64), 4).luts == 0


@pytest.mark.parametrize(
    ("low", "high", "bits", "most"),
    [(-1, 1, 2, 3500), (-7, 7, 4, 10_000)],
    ids=["ternary", "four-bits"],
)
def test_cost_follows_the_weights_that_are_there(low: int, high: int, bits: int, most: int) -> None:
    rng = np.random.default_rng(1)
    dense = rng.integers(low, high, (64, 64), endpoint=True)
    full = plan(dense, bits)
    sparse = plan(np.where(rng.random(dense.shape) < 0.1, dense, 0), bits)
    assert full.luts <= most
    assert sparse.luts <= 0.2 * full.luts
    again = plan(dense, bits)
    assert again.outputs == full.outputs and again.terms == full.terms


def test_outputs_share_what_they_have_in_common() -> None:
    rng = np.random.default_rng(2)
    few = rng.integers(-1, 2, (48, 2))
    alone = plan(few, 2).luts
    assert plan(np.repeat(few, 24, axis=1), 2).luts < 24 * alone


def test_other_weights_in_the_logic_are_refused_with_the_remedy() -> None:
    old, new = (
        stitch(model_of([embedded(np.random.default_rng(seed), mw=6, mh=4, x="UINT2", w="INT2")]))
        for seed in (1, 2)
    )
    check_same(old, old)
    with pytest.raises(ModelError, match=r"weights in the logic.*build with --updatable"):
        check_same(old, new)


def test_the_solver_offers_it_unless_weights_must_stay_in_memories() -> None:
    rng = np.random.default_rng(3)
    model = model_of([mvau(rng, mw=16, mh=8, x="UINT2", w="INT2", pe=1, simd=1)])
    node = declaration(next(iter(model.graph)))
    found = options_of(node, ONE_FRAME_PER_CYCLE)
    kept = options_of(node, ONE_FRAME_PER_CYCLE, in_logic=False)
    assert [node.in_logic(o.folding) for o in found] == [True]
    assert [node.in_logic(o.folding) for o in kept] == [False]
    assert found[0].resources.LUT < kept[0].resources.LUT


@pytest.mark.parametrize("updatable", [False, True])
def test_a_build_keeps_weights_that_are_to_be_updated(updatable: bool, tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    onnx.save(mlp(MlpSpec((8, 6, 4), 2, 2, "relu", 2)), model)
    report = build(
        model, out=tmp_path / "out", until="estimate", fps=1e8, budget=math.inf, updatable=updatable
    )
    memories = {layer.weights for layer in report.layers if layer.weights}
    assert memories == ({"distributed"} if updatable else {"logic"})
