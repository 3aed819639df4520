# SPDX-License-Identifier: Apache-2.0
"""Nodes that move, join and fold images: numpy, reference expansion, emulator, RTL and its cycles.

Cases of one kind stand side by side in one model, so that a simulator is built once for many.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from qnnc.backends.simulation.simulate import Pressure
from qnnc.compiler.dataflow import declaration
from tests.support import image_nodes as images
from tests.support import image_strategies as strategies
from tests.support import nodes
from tests.support.emulator import run_emulator
from tests.support.nodes import NodeSpec
from tests.support.rtl import reference, run_rtl

FRAMES = 6
PRESSURES = (Pressure(source=60, sink=40, seed=3), Pressure(30, 100, 5), Pressure(100, 25, 9))


def agree(specs: list[NodeSpec], seed: int, frames: int) -> dict[str, NDArray[Any]]:
    """The reference expansion gives what numpy does, for random inputs; all tensors."""
    inputs = nodes.random_inputs(np.random.default_rng(seed), specs, frames)
    tensors = reference(nodes.model_of(specs), inputs)
    for i, spec in enumerate(specs):
        streams = [inputs[name].astype(np.int64) for name in spec.inputs(i)]
        found = images.DEFINITIONS[spec.op](spec, *streams)
        for j, ((name, (kind, shape)), expected) in enumerate(
            zip(spec.outputs(i).items(), found, strict=True)
        ):
            if j not in spec.unused:
                assert tensors[name].shape == (frames, *shape), spec
                assert np.array_equal(tensors[name], expected), spec
                assert expected.min() >= kind.min() and expected.max() <= kind.max(), spec
    return tensors


def check(specs: list[NodeSpec], cache: Path, engine: str = "auto") -> None:
    """Numpy equals reference equals emulator equals RTL, with and without back-pressure; a frame
    takes as long as the node says."""
    model = nodes.model_of(specs)
    tensors = agree(specs, 7, FRAMES)
    emulated = run_emulator(model, tensors, cache)
    assert emulated.mismatches == 0, emulated.detail
    assert emulated.tensors == sum(1 + len(s.more_outputs) - len(s.unused) for s in specs)
    for pressure in (Pressure(), *PRESSURES):
        result = run_rtl(model, tensors, cache, engine=engine, pressure=pressure)
        wrong = [(s.name, s.tensor, s.mismatches) for s in result.streams if s.mismatches]
        assert not wrong
        assert all(s.elements for s in result.streams)
        if pressure == Pressure():
            late = []
            for node in map(declaration, model.graph):
                expected = node.cycles(node.folding())
                for output in node.node.outputs:
                    if str(output.name) in result.done:
                        done = result.done[str(output.name)]
                        found = (done[-1] - done[2]) / (FRAMES - 3)
                        if abs(found - expected) > 0.01 * expected:
                            late.append((node.name, dict(node.node.attributes), expected, found))
            assert not late


def window_cases() -> list[NodeSpec]:
    """Kernels, strides, dilations; foldings; memories; extremes."""
    make = images.windows
    cases = [
        make(image=(6, 7), kernel=(3, 3)),
        make(image=(7, 5), kernel=(3, 2), stride=(2, 1), channels=4, simd=2),
        make(image=(5, 9), kernel=(2, 3), stride=(1, 2), channels=3, simd=3, kind="INT5"),
        make(image=(9, 8), kernel=(3, 3), dilation=(2, 1), channels=2, simd=2),
        make(image=(8, 11), kernel=(2, 3), stride=(2, 3), dilation=(3, 2), channels=2),
        make(image=(6, 6), kernel=(2, 2), stride=(2, 2), channels=6, simd=3, kind="BINARY"),
        make(image=(4, 4), kernel=(1, 1)),
        make(image=(5, 4), kernel=(1, 1), stride=(2, 2), channels=2, simd=1),
        make(image=(8, 8), kernel=(2, 2), stride=(3, 3), channels=2, simd=2),
        make(image=(7, 9), kernel=(1, 2), stride=(4, 5), channels=2, simd=1),
        make(image=(4, 5), kernel=(4, 5), channels=2, simd=2),
        make(image=(3, 3), kernel=(3, 3), channels=3, simd=1, kind="UINT8"),
        make(image=(5, 3), kernel=(2, 3), channels=1, kind="INT2"),
        make(image=(1, 12), kernel=(1, 3), channels=2, simd=1),
        make(image=(1, 13), kernel=(1, 4), stride=(1, 2), dilation=(1, 2), channels=4, simd=4),
        make(image=(1, 5), kernel=(1, 5), channels=2, simd=2),
        make(image=(12, 1), kernel=(3, 1), stride=(2, 1), channels=2, simd=1),
        make(image=(1, 1), kernel=(1, 1), channels=3, simd=1),
        make(image=(10, 10), kernel=(5, 5), channels=1, kind="UINT8"),
        make(image=(12, 4), kernel=(2, 2), stride=(5, 1), channels=2, simd=2),
        make(image=(9, 9), kernel=(3, 3), channels=16, simd=4, kind="UINT4", ram="block"),
        make(image=(16, 8), kernel=(3, 3), stride=(2, 2), channels=8, simd=8, ram="block"),
        make(image=(6, 40), kernel=(3, 3), channels=4, simd=2, kind="INT4", ram="block"),
    ]
    ahead = [make_ahead(spec) for spec in cases[:6] + cases[8:15] + cases[20:]]
    return cases + ahead


def make_ahead(spec: NodeSpec) -> NodeSpec:
    """The same with room for the next frame."""
    attributes = {**spec.attributes, "prefetch": 1}
    return NodeSpec(spec.op, attributes, spec.x_type, spec.x_shape, spec.out_type, spec.out_shape)


def border_cases() -> list[NodeSpec]:
    """Borders and zeros between pixels."""
    pad, between = images.padding, images.spread
    return [
        pad(image=(4, 5), pads=(1, 1, 1, 1)),
        pad(image=(4, 5), pads=(0, 2, 1, 0), channels=6, simd=2, kind="INT4", value=-3),
        pad(image=(3, 2), pads=(2, 0, 0, 3), channels=4, simd=4, kind="INT8", value=-128),
        pad(image=(3, 3), pads=(0, 0, 0, 0), channels=2),
        pad(image=(1, 6), pads=(0, 2, 0, 2), channels=3, simd=1, kind="UINT3", value=7),
        pad(image=(1, 1), pads=(3, 0, 2, 1), channels=1, kind="BINARY", value=1),
        pad(image=(5, 1), pads=(1, 0, 0, 0), channels=2, simd=2, kind="TERNARY", value=-1),
        pad(image=(2, 2), pads=(0, 0, 5, 7), channels=2, simd=1),
        between(image=(3, 4), stride=(2, 2), channels=2),
        between(image=(4, 3), stride=(3, 1), channels=4, simd=4, kind="INT4"),
        between(image=(1, 5), stride=(1, 4), channels=3, simd=3, kind="INT3"),
        between(image=(1, 1), stride=(2, 3), channels=2),
        between(image=(3, 3), stride=(1, 1), channels=2, simd=2),
        between(image=(2, 6), stride=(5, 2), channels=1, kind="BINARY"),
    ]


def fold_cases() -> list[NodeSpec]:
    """Pools, sums and depthwise products."""
    rng, pool, total, vvau = np.random.default_rng(5), images.pool, images.global_sum, images.vvau
    cases = [
        pool(out=(2, 3), kernel=(2, 2), channels=4, pe=2),
        pool(out=(2, 2), kernel=(3, 3), channels=3, pe=1, kind="INT5"),
        pool(out=(1, 3), kernel=(1, 2), channels=6, pe=6, kind="BINARY"),
        pool(out=(2, 2), kernel=(1, 1), channels=4, pe=2, kind="INT3"),
        pool(out=(2, 2), kernel=(2, 1), channels=5, pe=1, kind="TERNARY"),
        pool(out=(1, 1), kernel=(3, 4), channels=1, kind="INT8"),
        pool(out=(2, 2), kernel=(2, 2), channels=40, pe=1, kind="UINT2"),
    ]
    cases += [
        pool(out=(2, 2), kernel=kernel, channels=channels, pe=pe, kind=kind, function="AccPool")
        for kernel, channels, pe, kind in (
            ((2, 2), 4, 2, "UINT4"),
            ((3, 3), 3, 3, "INT5"),
            ((1, 1), 2, 1, "INT4"),
            ((2, 3), 6, 1, "BINARY"),
            ((2, 2), 36, 1, "TERNARY"),
        )
    ]
    cases += [
        total(image=(4, 3), channels=6, pe=2),
        total(image=(1, 1), channels=2, pe=1, kind="INT4"),
        total(image=(1, 7), channels=5, pe=5, kind="INT8"),
        total(image=(5, 5), channels=1, kind="BINARY"),
        total(image=(2, 2), channels=70, pe=1, kind="UINT8"),
    ]
    cases += [
        vvau(rng, out=(2, 2), kernel=kernel, channels=channels, x=x, w=w, pe=pe, ram=ram, res=res)
        for x, w, kernel, channels, pe, ram, res in (
            ("UINT4", "INT4", (3, 3), 4, 2, "distributed", "lut"),
            ("INT8", "INT8", (3, 3), 4, 1, "block", "dsp"),
            ("UINT8", "INT8", (2, 2), 6, 3, "distributed", "dsp"),
            ("UINT8", "INT6", (1, 3), 3, 3, "block", "lut"),
            ("UINT4", "BIPOLAR", (3, 3), 4, 4, "distributed", "lut"),
            ("INT3", "BIPOLAR", (2, 2), 4, 1, "block", "lut"),
            ("BINARY", "BINARY", (3, 3), 8, 2, "distributed", "lut"),
            ("BINARY", "BINARY", (1, 4), 6, 6, "block", "lut"),
            ("INT4", "TERNARY", (3, 2), 2, 1, "distributed", "lut"),
            ("UINT3", "BINARY", (2, 2), 5, 1, "distributed", "lut"),
            ("BINARY", "INT5", (2, 2), 3, 1, "block", "lut"),
            ("INT16", "INT8", (1, 1), 4, 2, "distributed", "dsp"),
            ("INT4", "INT4", (1, 1), 1, 1, "distributed", "lut"),
            ("UINT4", "UINT4", (5, 5), 2, 2, "block", "dsp"),
            ("UINT2", "INT2", (3, 3), 150, 1, "block", "lut"),
        )
    ]
    return cases


def joining_cases() -> list[NodeSpec]:
    """Copies, joins and splits."""
    join, concat, split = images.join, images.concat, images.split
    return [
        images.duplicate(vectors=(1, 2, 3), channels=4, copies=2, pe=2),
        images.duplicate(vectors=(1,), channels=3, copies=5, pe=3, kind="UINT7"),
        images.duplicate(vectors=(1, 2), channels=2, copies=1),
        join(op="Add", vectors=(1, 2, 2), channels=6, kinds=("INT4", "INT4"), pe=2),
        join(op="Add", vectors=(1, 3), channels=2, kinds=("UINT2", "INT9"), pe=1),
        join(op="Add", vectors=(1,), channels=3, kinds=("BINARY", "BINARY"), pe=3),
        join(op="Mul", vectors=(1, 2, 2), channels=4, kinds=("UINT4", "INT3"), pe=4),
        join(op="Mul", vectors=(1, 5), channels=2, kinds=("INT8", "UINT8"), pe=1),
        join(op="Mul", vectors=(1, 2), channels=4, kinds=("UINT3", "UINT2"), pe=2),
        concat(vectors=(1, 2, 2), channels=(2, 4), kinds=("INT4", "INT4"), simd=2),
        concat(vectors=(1, 3), channels=(3, 1, 2), kinds=("UINT2", "INT5", "BINARY"), simd=1),
        concat(vectors=(1,), channels=(4, 4, 4, 4, 8), kinds=("UINT3",) * 5, simd=4),
        concat(vectors=(1, 2), channels=(6, 3), kinds=("TERNARY", "UINT1"), simd=3),
        split(vectors=(1, 2, 2), channels=(2, 4), simd=2),
        split(vectors=(1, 3), channels=(3, 1, 2), kind="UINT8"),
        split(vectors=(1, 2), channels=(4, 4, 8, 4), simd=4, unused=(1, 3)),
        split(vectors=(1, 4), channels=(1, 5), kind="BINARY", unused=(0,)),
        split(vectors=(1, 3), channels=(6,), simd=3),
    ]


def order_cases() -> list[NodeSpec]:
    """Upsampling and reorderings."""
    up, shuffle = images.upsample, images.shuffle
    return [
        up(image=(3, 4), factors=(2, 2), channels=4, simd=2),
        up(image=(2, 3), factors=(3, 1), channels=3, simd=3, ram="block"),
        up(image=(4, 3), factors=(1, 2), channels=2),
        up(image=(1, 1), factors=(4, 3), channels=1, kind="BINARY"),
        up(image=(1, 9), factors=(1, 2), channels=5, simd=1, kind="UINT8", ram="block"),
        up(image=(2, 2), factors=(1, 1), channels=2, simd=2),
        shuffle(apart=(1, 3, 4, 5), perm=(0, 3, 1, 2)),
        shuffle(apart=(1, 5, 3, 4), perm=(0, 2, 3, 1), kind="UINT7", ram="block"),
        shuffle(apart=(1, 4, 3, 6), perm=(0, 2, 1, 3), simd=3),
        shuffle(apart=(1, 6, 1, 1), perm=(0, 2, 3, 1)),
        shuffle(apart=(1, 2, 3, 4), perm=(0, 1, 2, 3), simd=4),
        # pixel shuffles: depth to space, space to depth
        shuffle(
            apart=(1, 3, 2, 2, 2, 4),
            perm=(0, 1, 3, 2, 4, 5),
            in_shape=(1, 3, 2, 16),
            out_shape=(1, 6, 4, 4),
            simd=4,
        ),
        shuffle(
            apart=(1, 2, 3, 2, 2, 3),
            perm=(0, 1, 3, 2, 4, 5),
            in_shape=(1, 6, 4, 3),
            out_shape=(1, 2, 2, 18),
            simd=1,
            ram="block",
        ),
        shuffle(apart=(1, 2, 3, 4, 2), perm=(0, 4, 2, 3, 1), in_shape=(1, 2, 24, 1)),
        shuffle(apart=(1, 1, 1, 1), perm=(0, 3, 1, 2)),
    ]


GROUPS: dict[str, Callable[[], list[NodeSpec]]] = {
    "windows": window_cases,
    "borders": border_cases,
    "folds": fold_cases,
    "joins": joining_cases,
    "orders": order_cases,
}


@pytest.mark.parametrize("group", GROUPS)
def test_definition_reference_emulator_rtl_and_cycles_agree(group: str, cache: Path) -> None:
    check(GROUPS[group](), cache)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(spec=strategies.ANY, seed=st.integers(0, 2**16))
def test_reference_equals_definition(spec: NodeSpec, seed: int) -> None:
    agree([spec], seed, 4)


@settings(max_examples=2, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    specs=st.tuples(
        *(
            st.lists(kind(), min_size=count, max_size=count)
            for kind, count in (
                (strategies.windows, 8),
                (strategies.borders, 3),
                (strategies.folds, 4),
                (strategies.joins, 4),
                (strategies.orders, 4),
            )
        )
    )
)
def test_random_nodes_in_emulator_and_rtl(specs: tuple[list[NodeSpec], ...], cache: Path) -> None:
    check([spec for group in specs for spec in group], cache)
