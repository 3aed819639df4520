# SPDX-License-Identifier: Apache-2.0
"""Five ternary weights in eight bits: the code, its decoder, its cost, and when it is chosen."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from qnnc.backends.rtl.stitch import stitch
from qnnc.backends.simulation.simulate import Pressure
from qnnc.backends.synthesis import synthesize
from qnnc.compiler.dataflow.stream_graph import stream_graph
from qnnc.compiler.folding.goal import Goal, choose
from qnnc.compiler.resources import Resources
from qnnc.nodes.mvau.trits import code_of_five, coded, coded_bits
from tests.support import nodes
from tests.support.rtl import reference, run_rtl

DEVICE = Resources(53200, 106400, 280, 220)
ALL = np.array(list(itertools.product((-1, 0, 1), repeat=5)))


def ternary(mw: int, mh: int, x: str, pe: int, simd: int) -> nodes.Case:
    """An MVAU with its weights in fives."""
    rng = np.random.default_rng(mw)
    case = nodes.mvau(rng, mw=mw, mh=mh, x=x, w="TERNARY", pe=pe, simd=simd)
    return case.folded(weight_code="trits")


def test_the_code_tells_all_states_apart() -> None:
    codes = code_of_five(ALL)
    assert np.unique(codes).size == 243 and codes.min() >= 0 and codes.max() < 256


@pytest.mark.parametrize("count", [5, 7, 9, 10, 64])
def test_bits_of_a_word(count: int) -> None:
    bits = coded(np.resize(ALL, (3, count)))
    assert bits.shape == (3, coded_bits(count))
    assert coded_bits(count) <= 2 * count


def test_the_decoder_gives_every_state_back(cache: Path) -> None:
    """One row of weights for each state, read one by one with unit vectors."""
    spec = replace(ternary(5, 243, "INT2", 1, 5), constants=(ALL.T.astype(np.int64),))
    model = nodes.model_of([spec])
    tensors = reference(model, {"x0_0": np.eye(5, dtype=np.float32)[:, None]})
    assert np.array_equal(tensors["y0_0"][:, 0], ALL.T)
    assert run_rtl(model, tensors, cache).mismatches == 0


def test_units_are_exact_and_cost_what_the_model_says(cache: Path) -> None:
    specs = [
        ternary(60, 30, "INT2", 5, 12),
        ternary(64, 32, "INT4", 8, 4),
        ternary(36, 12, "UINT3", 3, 4),
    ]
    model = nodes.model_of(specs)
    tensors = reference(model, nodes.random_inputs(specs, frames=6))
    assert run_rtl(model, tensors, cache, pressure=Pressure(60, 50, 2)).mismatches == 0
    design = stitch(model)
    for node, found in zip(
        stream_graph(model).nodes, synthesize(design, cache, 1).nodes, strict=True
    ):
        estimate = node.resources(node.folding())
        assert estimate.BRAM18 == found.resources.BRAM18
        assert pytest.approx(found.resources.LUT, rel=0.1) == estimate.LUT
        assert pytest.approx(found.resources.FF, rel=0.1) == estimate.FF


def test_it_is_chosen_where_block_ram_is_short() -> None:
    rng = np.random.default_rng(1)
    model = nodes.model_of([nodes.mvau(rng, mw=512, mh=512, x="INT2", w="TERNARY", pe=1, simd=1)])
    graph = stream_graph(model)

    def chosen(bram: int) -> tuple[str, float]:
        goal = Goal(DEVICE, Resources(3000, 106400, bram, 0), 100.0, fps=20_000.0)
        choice = choose(graph, goal)
        return choice.options[0].folding.weight_code, choice.resources.BRAM18

    assert chosen(60)[1] <= 30  # 512 * 512 * 1.6 bits are 23 of 18 kbit
    assert chosen(24) == ("trits", 24)
