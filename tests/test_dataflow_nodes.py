# SPDX-License-Identifier: Apache-2.0
"""Every dataflow node: arithmetic in numpy, reference expansion, emulator, RTL under back-pressure.

Cases of one kind stand side by side in one model, so that a simulator is built once for many.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from qonnx.core.datatype import DataType

from qnnc.backends.simulation.simulate import Pressure
from qnnc.compiler.dataflow.base import divisors
from tests.support import nodes
from tests.support.emulator import run_emulator
from tests.support.nodes import NodeSpec
from tests.support.rtl import reference, run_rtl

TYPES = ["BINARY", "TERNARY", "UINT2", "INT2", "UINT3", "INT3", "UINT4", "INT4", "UINT8", "INT8"]
WEIGHTS = ["BIPOLAR", "TERNARY", "BINARY", "INT2", "INT3", "INT4", "INT5", "INT8"]


def by_definition(spec: NodeSpec, x: NDArray[np.int64]) -> NDArray[np.int64]:
    """What a node does, in numpy, independent of qnnc."""
    if spec.op == "MVAU":
        if spec.attributes["binaryXnorMode"]:
            return (x[..., :, None] == spec.constants[0]).sum(axis=-2)
        return x @ spec.constants[0]
    if spec.op == "Thresholding":
        thresholds = np.broadcast_to(spec.constants[0], (x.shape[-1], spec.constants[0].shape[1]))
        count = (x[..., None] >= thresholds).sum(axis=-1)
        if len(spec.constants) == 1:
            return count + spec.attributes["ActVal"]
        values = np.broadcast_to(spec.constants[1], (x.shape[-1], spec.constants[1].shape[1]))
        return np.take_along_axis(
            np.broadcast_to(values, (*x.shape, values.shape[1])), count[..., None], axis=-1
        )[..., 0]
    if spec.op == "LabelSelect":
        return np.argsort(-x, axis=-1, kind="stable")[..., : spec.attributes["K"]]
    if spec.op == "ElementwiseAdd":
        return x + spec.constants[0]
    if spec.op == "ElementwiseMul":
        return x * spec.constants[0]
    return x


def check(
    specs: list[NodeSpec],
    cache: Path,
    frames: int = 5,
    engine: str = "auto",
    cells: bool = False,
) -> None:
    """Definition equals reference equals emulator equals RTL, with and without back-pressure."""
    rng = np.random.default_rng(7)
    model = nodes.model_of(specs)
    inputs = nodes.random_inputs(rng, specs, frames)
    tensors = reference(model, inputs)
    for i, spec in enumerate(specs):
        expected = by_definition(spec, inputs[f"x{i}"].astype(np.int64))
        assert np.array_equal(tensors[f"y{i}"], expected), spec
    emulated = run_emulator(model, tensors, cache)
    assert emulated.mismatches == 0, emulated.detail
    assert emulated.tensors == len(specs)
    for pressure in (Pressure(), Pressure(source=60, sink=40, seed=3), Pressure(30, 100, 5)):
        result = run_rtl(model, tensors, cache, engine=engine, pressure=pressure, cells=cells)
        wrong = [(s.name, s.mismatches) for s in result.streams if s.mismatches]
        assert not wrong
        assert all(s.elements for s in result.streams)


def mvau_cases() -> list[NodeSpec]:
    rng = np.random.default_rng(0)
    cases = []
    for i, x in enumerate(TYPES):
        for w in WEIGHTS[i % 3 :: 3]:
            mw, mh = int(rng.choice([12, 18, 20])), int(rng.choice([4, 6, 10]))
            pe, simd = int(rng.choice(divisors(mh))), int(rng.choice(divisors(mw)))
            style = str(rng.choice(["block", "distributed"]))
            cases.append(nodes.mvau(rng, mw=mw, mh=mh, x=x, w=w, pe=pe, simd=simd, ram_style=style))
    return cases


def dsp_cases() -> list[NodeSpec]:
    """One, two and three lanes to a DSP block, short and long chains, port widths at their
    limits, digits that borrow (weights as low as their type goes) and digits that do not."""
    rng = np.random.default_rng(4)
    return [
        nodes.mvau(
            rng,
            mw=mw,
            mh=mh,
            x=x,
            w=w,
            pe=pe,
            simd=simd,
            res="dsp",
            ram_style=ram_style,
            narrow=ram_style == "block",
            vectors=2,
        )
        for x, w, mw, mh, pe, simd in (
            ("UINT8", "INT8", 16, 8, 4, 4),
            ("UINT8", "INT8", 32, 4, 4, 16),
            ("INT8", "INT8", 28, 6, 3, 7),
            ("UINT8", "UINT8", 12, 4, 2, 4),
            ("UINT8", "INT8", 27, 4, 1, 27),
            ("UINT8", "INT6", 24, 4, 2, 8),
            ("UINT4", "INT4", 18, 6, 3, 9),
            ("INT5", "INT5", 36, 7, 7, 36),
            ("INT4", "UINT4", 12, 5, 5, 1),
            ("UINT8", "INT4", 10, 4, 4, 1),
            ("INT8", "INT8", 8, 2, 1, 1),
            ("INT9", "INT8", 6, 4, 4, 6),
            ("INT12", "INT3", 12, 6, 2, 4),
            ("INT20", "INT8", 12, 4, 2, 3),
            ("UINT7", "INT24", 4, 4, 4, 1),
            ("INT25", "INT18", 6, 2, 2, 2),
            ("UINT24", "UINT17", 6, 2, 2, 2),
        )
        for ram_style in ("distributed", "block")
    ]


def limit_cases() -> list[NodeSpec]:
    """Sums at the ends of their ranges: every weight at an end of its type, alternating over lanes
    that share a DSP block; passes just as long as a field of its accumulator allows, and longer."""
    rng = np.random.default_rng(5)
    return [
        nodes.mvau(rng, mw=mw, mh=6, x=x, w=w, pe=6, simd=simd, res=res, ends=ends)
        for x, w, mw, simd, res in (
            ("UINT8", "INT8", 8, 4, "dsp"),
            ("UINT8", "INT8", 16, 16, "dsp"),
            ("INT8", "INT8", 15, 15, "dsp"),
            ("UINT8", "UINT8", 8, 8, "dsp"),
            ("UINT4", "INT4", 36, 18, "dsp"),
            ("UINT8", "INT4", 257, 1, "dsp"),
            ("UINT8", "INT4", 258, 1, "dsp"),
            ("INT4", "UINT3", 3, 1, "dsp"),
            ("UINT8", "INT8", 9, 9, "lut"),
            ("INT3", "INT5", 31, 31, "lut"),
        )
        for ends in ("low", "high")
    ]


def shape_cases() -> list[NodeSpec]:
    """Foldings at their extremes, several vectors a frame, memories that are grouped."""
    rng = np.random.default_rng(1)
    cases = []
    kinds = (("TERNARY", "TERNARY"), ("BINARY", "BINARY"), ("UINT3", "BIPOLAR"))
    for mw, mh, pe, simd in (
        (1, 1, 1, 1),
        (8, 6, 6, 8),
        (8, 6, 1, 8),
        (8, 6, 6, 1),
        (8, 6, 1, 1),
        (33, 5, 5, 11),
        (64, 2, 1, 2),
        (2, 40, 8, 1),
        (5, 3, 3, 5),
    ):
        for i, (x, w) in enumerate(kinds):
            style = "distributed" if (pe, simd) == (mh, mw) or i % 2 else "block"
            cases.append(nodes.mvau(rng, mw=mw, mh=mh, x=x, w=w, pe=pe, simd=simd, ram_style=style))
    cases.append(nodes.mvau(rng, mw=96, mh=48, x="UINT2", w="INT2", pe=1, simd=2, vectors=3))
    cases.append(nodes.mvau(rng, mw=128, mh=96, x="BINARY", w="INT2", pe=1, simd=1))
    return cases


def thresholding_cases() -> list[NodeSpec]:
    rng = np.random.default_rng(2)
    cases = []
    for x, steps, base in (
        ("UINT8", 1, 0),
        ("INT9", 2, -1),
        ("INT6", 3, 0),
        ("UINT4", 15, -8),
        ("INT12", 7, 0),
        ("BINARY", 1, 0),
        ("INT8", 255, 0),
        ("INT20", 5, 2),
    ):
        for channels, pe, shared in ((12, 3, False), (10, 1, False), (6, 2, True)):
            cases.append(
                nodes.thresholding(
                    rng,
                    channels=channels,
                    steps=steps,
                    x=x,
                    pe=pe,
                    base=base,
                    shared=shared,
                    vectors=2,
                )
            )
    for steps in (1, 4, 9):
        cases.append(nodes.thresholding(rng, channels=6, steps=steps, x="INT8", pe=2, values=True))
        cases.append(
            nodes.thresholding(
                rng, channels=6, steps=steps, x="INT8", pe=3, shared=True, values=True
            )
        )
    cases.append(nodes.thresholding(rng, channels=160, steps=3, x="INT10", pe=1, ram_style="block"))
    return cases


def affine_cases() -> list[NodeSpec]:
    """Thresholds factored: both styles and multipliers, one and two DSP blocks, exceptions,
    constant and shared parameters, ties."""
    rng = np.random.default_rng(8)
    cases = []
    for style, function in (("requant", "uniform"), ("factored", "tanh")):
        for channels, steps, x, pe, res, more in (
            (12, 15, "INT10", 3, "dsp", {"base": -8}),
            (12, 30, "UINT9", 2, "lut", {"base": -20, "falling": True}),
            (6, 30, "INT12", 6, "lut", {"base": 3}),
            (6, 30, "INT12", 6, "dsp", {"falling": True}),
            (160, 63, "INT18", 1, "dsp", {"strange": 60, "ram_style": "block", "vectors": 2}),
            (32, 63, "INT14", 2, "dsp", {"strange": 30}),
            (200, 100, "INT24", 1, "dsp", {"strange": 100, "ram_style": "block"}),
        ):
            cases.append(
                nodes.tail(
                    rng,
                    channels=channels,
                    steps=steps,
                    x=x,
                    pe=pe,
                    style=style,
                    res=res,
                    function=function,
                    **more,
                )
            )
    for base, res in ((-7, "dsp"), (0, "lut")):
        cases.append(
            nodes.tail(
                rng, channels=12, steps=15, x="INT10", style="requant", res=res, function="ties",
                base=base, pe=3,
            )
        )  # fmt: skip
    cases.append(
        nodes.tail(rng, channels=6, steps=100, x="INT16", pe=2, style="requant", res="lut", rows=1)
    )
    return cases


def stream_cases() -> list[NodeSpec]:
    rng = np.random.default_rng(3)
    cases = [
        nodes.width_converter(elements=60, kind=kind, lanes_in=a, lanes_out=b)
        for kind, a, b in (
            ("INT3", 1, 4),
            ("UINT8", 4, 1),
            ("BINARY", 1, 60),
            ("INT2", 60, 1),
            ("INT5", 6, 10),
            ("UINT7", 12, 5),
            ("TERNARY", 2, 3),
            ("INT4", 3, 2),
            ("UINT2", 1, 2),
            ("UINT2", 2, 1),
            ("INT9", 20, 4),
        )
    ]
    cases += [
        nodes.fifo(elements=30, kind="INT5", lanes=lanes, depth=depth, ram=ram)
        for lanes, depth, ram in (
            (1, 2, "distributed"),
            (3, 3, "distributed"),
            (1, 40, "distributed"),
            (2, 33, "block"),
            (1, 200, "block"),
        )
    ]
    cases += [
        nodes.label_select(labels=labels, k=k, kind=kind)
        for labels, k, kind in (
            (10, 1, "INT9"),
            (10, 10, "UINT3"),
            (2, 1, "INT4"),
            (17, 3, "INT3"),
            (1, 1, "INT4"),
        )
    ]
    cases += [
        nodes.elementwise(rng, op=op, channels=12, x=x, c=c, pe=pe, shared=shared)
        for op in ("Add", "Mul")
        for x, c, pe, shared in (
            ("INT8", "INT6", 1, False),
            ("UINT4", "UINT4", 3, False),
            ("INT5", "INT12", 12, True),
            ("BINARY", "INT3", 2, False),
        )
    ]
    return cases


GROUPS = {
    "mvau": mvau_cases,
    "mvau-shapes": shape_cases,
    "mvau-dsp": dsp_cases,
    "mvau-limits": limit_cases,
    "thresholding": thresholding_cases,
    "affine-thresholding": affine_cases,
    "streams": stream_cases,
}


@pytest.mark.parametrize("group", GROUPS)
def test_definition_reference_emulator_and_rtl_agree(group: str, cache: Path) -> None:
    check(GROUPS[group](), cache)


def test_both_engines_agree(cache: Path) -> None:
    """A few nodes of each kind through CXXRTL too, whatever engine the others have used."""
    specs = [
        case()
        for case in (
            lambda: mvau_cases()[12],
            lambda: dsp_cases()[0],
            lambda: dsp_cases()[18],
            lambda: shape_cases()[-2],
            lambda: thresholding_cases()[5],
            lambda: stream_cases()[5],
            lambda: stream_cases()[13],
            lambda: stream_cases()[-3],
        )
    ]
    check(specs, cache, engine="cxxrtl")


def test_primitives_are_what_is_simulated(cache: Path) -> None:
    """The cells that go into synthesis, in Yosys's own models, do what the library's behaviour
    says: DSP blocks alone, chained, shared and accumulating; LUTs with their carry chains."""
    rng = np.random.default_rng(6)
    kinds = (
        ("UINT8", "INT8", 10, 5, "dsp"),
        ("UINT24", "UINT17", 2, 2, "dsp"),
        ("UINT8", "INT4", 4, 1, "dsp"),
        ("UINT3", "INT5", 13, 13, "lut"),
        ("INT4", "BIPOLAR", 12, 12, "lut"),
        ("TERNARY", "TERNARY", 16, 16, "lut"),
        ("BINARY", "BINARY", 60, 30, "lut"),
    )
    specs = [
        nodes.mvau(rng, mw=mw, mh=4, x=x, w=w, pe=2, simd=simd, res=res)
        for x, w, mw, simd, res in kinds
    ]
    check(specs, cache, frames=8, cells=True)


@st.composite
def mvaus(draw: st.DrawFn) -> NodeSpec:
    mw, mh = draw(st.integers(1, 24)), draw(st.integers(1, 12))
    x, w = draw(st.sampled_from(TYPES)), draw(st.sampled_from(WEIGHTS))
    dsp = w != "BIPOLAR" and (x, w) != ("BINARY", "BINARY")
    return nodes.mvau(
        np.random.default_rng(draw(st.integers(0, 1000))),
        mw=mw,
        mh=mh,
        x=x,
        w=w,
        res=draw(st.sampled_from(["lut", "dsp"] if dsp else ["lut"])),
        pe=draw(st.sampled_from(divisors(mh))),
        simd=draw(st.sampled_from(divisors(mw))),
        ram_style=draw(st.sampled_from(["block", "distributed"])),
        vectors=draw(st.integers(1, 3)),
    )


@st.composite
def thresholdings(draw: st.DrawFn) -> NodeSpec:
    channels = draw(st.integers(1, 12))
    return nodes.thresholding(
        np.random.default_rng(draw(st.integers(0, 1000))),
        channels=channels,
        steps=draw(st.integers(1, 20)),
        x=draw(st.sampled_from(["INT4", "UINT5", "INT11", "BINARY"])),
        pe=draw(st.sampled_from(divisors(channels))),
        base=draw(st.integers(-20, 5)),
        shared=draw(st.booleans()),
        values=draw(st.booleans()),
    )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(spec=st.one_of(mvaus(), thresholdings()), seed=st.integers(0, 2**16))
def test_reference_equals_definition(spec: NodeSpec, seed: int) -> None:
    inputs = nodes.random_inputs(np.random.default_rng(seed), [spec], 3)
    found = reference(nodes.model_of([spec]), inputs)["y0"]
    assert np.array_equal(found, by_definition(spec, inputs["x0"].astype(np.int64)))
    low, high = int(spec.out_type.min()), int(spec.out_type.max())
    assert found.min() >= low and found.max() <= high
    assert spec.out_type != DataType["BIPOLAR"]


@settings(max_examples=2, deadline=None, suppress_health_check=list(HealthCheck))
@given(specs=st.lists(st.one_of(mvaus(), thresholdings()), min_size=10, max_size=12))
def test_random_nodes_in_emulator_and_rtl(specs: list[NodeSpec], cache: Path) -> None:
    check(specs, cache, frames=3)
