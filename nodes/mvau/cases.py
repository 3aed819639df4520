# SPDX-License-Identifier: Apache-2.0
"""What the tests of MVAU run over, and what it computes, in numpy."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray
from qonnx.core.datatype import BaseDataType, DataType

from qnnc.compiler.dataflow.base import divisors
from qnnc.compiler.dataflow.folding import Arithmetic, RamStyle
from qnnc.compiler.datatypes import BINARY, smallest_type
from qnnc.compiler.ir.facts import IntArray
from qnnc.nodes.mvau.node import MVAU
from qnnc.nodes.testing import Case, random_of

TYPES = ("BINARY", "TERNARY", "UINT2", "INT2", "UINT3", "INT3", "UINT4", "INT4", "UINT8", "INT8")
WEIGHTS = ("BIPOLAR", "TERNARY", "BINARY", "INT2", "INT3", "INT4", "INT5", "INT8")


def cases() -> list[Case]:
    """All types in LUTs; shapes and foldings at their extremes; DSP blocks; sums at their ends."""
    return [*of_types(), *of_shapes(), *with_dsps(), *at_limits(), *in_logic()]


def in_logic() -> list[Case]:
    """Weights as part of the logic: types, signed inputs, several vectors, sparse and empty
    matrices."""
    rng = np.random.default_rng(5)
    return [
        embedded(rng, mw=mw, mh=mh, x=x, w=w, vectors=vectors, zeros=zeros)
        for x, w, mw, mh, vectors, zeros in (
            ("BINARY", "BINARY", 16, 12, 1, 0.0),
            ("BINARY", "TERNARY", 7, 3, 3, 0.0),
            ("UINT2", "TERNARY", 9, 20, 1, 0.3),
            ("INT4", "INT4", 5, 6, 2, 0.0),
            ("TERNARY", "TERNARY", 12, 9, 1, 0.0),
            ("UINT4", "INT4", 6, 9, 1, 0.8),
            ("INT8", "INT8", 4, 3, 1, 0.0),
            ("UINT3", "INT3", 1, 1, 1, 0.0),
            ("INT3", "BIPOLAR", 40, 24, 1, 0.0),
            ("UINT2", "TERNARY", 3, 2, 1, 1.0),
        )
    ]


def embedded(
    rng: np.random.Generator,
    *,
    mw: int,
    mh: int,
    x: str,
    w: str,
    vectors: int = 1,
    zeros: float = 0.0,
) -> Case:
    """An MVAU with its weights in the logic, a share of them zero."""
    found = mvau(
        rng, mw=mw, mh=mh, x=x, w=w, pe=mh, simd=mw, ram_style="distributed", vectors=vectors
    )
    if zeros:
        found.constants[0][rng.random((mw, mh)) < zeros] = 0
    return replace(found, folding={**found.folding, "mem_mode": "internal_embedded"})


def mvau(
    rng: np.random.Generator,
    *,
    mw: int,
    mh: int,
    x: str,
    w: str,
    pe: int,
    simd: int,
    ram_style: RamStyle = "block",
    res: Arithmetic = "lut",
    vectors: int = 1,
    ends: str = "",
    narrow: bool = False,
) -> Case:
    """An MVAU with random weights; x BINARY and w BINARY is the XNOR form.

    Args:
        rng: of the weights.
        mw: inputs.
        mh: outputs.
        x: type of the inputs.
        w: type of the weights.
        pe: processing elements.
        simd: inputs per cycle.
        ram_style: of the weights' memory.
        res: what multiplies.
        vectors: per frame.
        ends: "low" or "high" for weights at the ends of their type, starting with that.
        narrow: no weight is as low as its type goes.
    """
    x_type, w_type = DataType[x], DataType[w]
    weights = _extreme(w_type, (mw, mh), ends) if ends else random_of(rng, w_type, (mw, mh))
    if narrow:
        weights = np.maximum(weights, int(w_type.min()) + 1)
    xnor = x_type == w_type == BINARY
    products = np.stack([int(x_type.min()) * weights, int(x_type.max()) * weights])
    low, high = products.min(axis=0).sum(axis=0).min(), products.max(axis=0).sum(axis=0).max()
    out = smallest_type(0, mw) if xnor else smallest_type(int(low), int(high))
    new = MVAU.create(
        matrix=(mw, mh), x=x_type, weights=w_type, out=out, xnor=xnor, vectors=(vectors,)
    )
    streams = ((x_type, (vectors, mw)),), ((out, (vectors, mh)),)
    definition = partial(_equal_pairs if xnor else _product, weights)
    folding = {"PE": pe, "SIMD": simd, "ram_style": ram_style, "resType": res}
    return Case(new, *streams, definition, folding, (weights,))


def of_types() -> list[Case]:
    """Every type of input, with weights of every other kind."""
    rng = np.random.default_rng(0)
    found = []
    for i, x in enumerate(TYPES):
        for w in WEIGHTS[i % 3 :: 3]:
            mw, mh = int(rng.choice([12, 18, 20])), int(rng.choice([4, 6, 10]))
            pe, simd = int(rng.choice(divisors(mh))), int(rng.choice(divisors(mw)))
            style: RamStyle = "block" if rng.integers(2) else "distributed"
            found.append(mvau(rng, mw=mw, mh=mh, x=x, w=w, pe=pe, simd=simd, ram_style=style))
    return found


def of_shapes() -> list[Case]:
    """Foldings at their extremes, several vectors per frame, grouped memories."""
    rng = np.random.default_rng(1)
    found = []
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
            style: RamStyle = "distributed" if (pe, simd) == (mh, mw) or i % 2 else "block"
            found.append(mvau(rng, mw=mw, mh=mh, x=x, w=w, pe=pe, simd=simd, ram_style=style))
    found.append(mvau(rng, mw=96, mh=48, x="UINT2", w="INT2", pe=1, simd=2, vectors=3))
    found.append(mvau(rng, mw=128, mh=96, x="BINARY", w="INT2", pe=1, simd=1))
    return found


def with_dsps() -> list[Case]:
    """One, two and three lanes to a DSP block, short and long chains, port widths at their
    limits, digits that borrow (weights as low as their type goes) and digits that do not."""
    rng = np.random.default_rng(4)
    styles: tuple[RamStyle, ...] = ("distributed", "block")
    return [
        mvau(
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
        for ram_style in styles
    ]


def at_limits() -> list[Case]:
    """Sums at the ends of their ranges: every weight at an end of its type, alternating over lanes
    that share a DSP block; passes just as long as a field of its accumulator allows, and longer."""
    rng = np.random.default_rng(5)
    limits: tuple[tuple[str, str, int, int, Arithmetic], ...] = (
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
    return [
        mvau(rng, mw=mw, mh=6, x=x, w=w, pe=6, simd=simd, res=res, ends=ends)
        for x, w, mw, simd, res in limits
        for ends in ("low", "high")
    ]


def _extreme(kind: BaseDataType, shape: tuple[int, int], first: str) -> IntArray:
    """All weights of an output at an end of the type, outputs alternately at either."""
    ends = [int(kind.min()), int(kind.max())]
    if first == "high":
        ends.reverse()
    found: NDArray[np.int64] = np.broadcast_to(np.resize(ends, shape[1]), shape).astype(np.int64)
    return found


def _product(weights: IntArray, x: IntArray) -> list[IntArray]:
    return [x @ weights]


def _equal_pairs(weights: IntArray, x: IntArray) -> list[IntArray]:
    return [(x[..., :, None] == weights).sum(axis=-2)]
