# SPDX-License-Identifier: Apache-2.0
"""What the tests of DynamicMVAU run over, and what it computes, in numpy."""

from __future__ import annotations

from functools import partial

from qonnx.core.datatype import DataType

from qnnc.compiler.dataflow.folding import Arithmetic, RamStyle
from qnnc.compiler.datatypes import smallest_type
from qnnc.compiler.ir.facts import IntArray
from qnnc.nodes.dynamic_mvau.node import DynamicMVAU
from qnnc.nodes.testing import Case


def cases() -> list[Case]:
    """Types of both, both orders of the matrix, foldings at their extremes, several matrices per
    frame, more words of the matrix than products, DSP blocks shared by one to three lanes."""
    return [
        dynamic(x="INT8", w="INT8", mw=8, mh=6, rows=5, pe=2, simd=4),
        dynamic(x="INT8", w="INT8", mw=8, mh=6, rows=5, pe=2, simd=4, transposed=True),
        dynamic(x="INT4", w="UINT3", mw=6, mh=4, rows=3, pe=4, simd=6, transposed=True),
        dynamic(x="INT4", w="UINT3", mw=6, mh=4, rows=3, pe=4, simd=6),
        dynamic(x="UINT4", w="INT4", mw=6, mh=4, rows=7, pe=1, simd=1),
        dynamic(x="UINT4", w="INT4", mw=6, mh=4, rows=7, pe=1, simd=1, transposed=True),
        dynamic(x="UINT2", w="INT5", mw=9, mh=5, rows=2, pe=5, simd=1, matrices=3),
        dynamic(x="TERNARY", w="TERNARY", mw=10, mh=4, rows=4, pe=2, simd=5, transposed=True),
        dynamic(x="BINARY", w="BINARY", mw=12, mh=3, rows=4, pe=3, simd=4, matrices=2),
        dynamic(x="INT2", w="BINARY", mw=5, mh=7, rows=3, pe=7, simd=1, transposed=True),
        dynamic(x="INT3", w="INT3", mw=1, mh=1, rows=1, pe=1, simd=1),
        dynamic(x="INT3", w="INT3", mw=4, mh=3, rows=1, pe=3, simd=4, matrices=2),
        dynamic(x="UINT8", w="INT6", mw=8, mh=8, rows=2, pe=8, simd=2, transposed=True),
        dynamic(x="INT6", w="INT6", mw=16, mh=12, rows=6, pe=3, simd=4, ram="block"),
        dynamic(
            x="INT6", w="INT6", mw=16, mh=12, rows=6, pe=2, simd=4, ram="block", transposed=True
        ),
        dynamic(x="INT8", w="INT8", mw=8, mh=6, rows=4, pe=3, simd=4, res="dsp"),
        dynamic(x="UINT8", w="INT8", mw=8, mh=5, rows=4, pe=5, simd=8, res="dsp", transposed=True),
        dynamic(x="INT8", w="UINT8", mw=9, mh=4, rows=4, pe=4, simd=3, res="dsp", matrices=2),
        dynamic(x="INT4", w="INT4", mw=6, mh=7, rows=5, pe=7, simd=1, res="dsp", transposed=True),
        dynamic(x="INT5", w="INT4", mw=6, mh=6, rows=3, pe=6, simd=3, res="dsp", ram="block"),
        dynamic(x="UINT4", w="INT5", mw=4, mh=1, rows=3, pe=1, simd=2, res="dsp"),
    ]


def dynamic(
    *,
    x: str,
    w: str,
    mw: int,
    mh: int,
    rows: int,
    pe: int,
    simd: int,
    matrices: int = 1,
    transposed: bool = False,
    ram: RamStyle = "distributed",
    res: Arithmetic = "lut",
) -> Case:
    """A product of `rows` vectors with each of the matrices."""
    x_type, w_type = DataType[x], DataType[w]
    ends = [
        int(a) * int(b) * mw
        for a in (x_type.min(), x_type.max())
        for b in (w_type.min(), w_type.max())
    ]
    out = smallest_type(min(ends), max(ends))
    vectors = (1, matrices, rows) if matrices > 1 else (1, rows)
    new = DynamicMVAU.create(
        matrix=(mw, mh),
        x=x_type,
        weights=w_type,
        out=out,
        vectors=vectors,
        matrices=matrices,
        transposed=transposed,
    )
    sides = (mh, mw) if transposed else (mw, mh)
    shape = (1, matrices, *sides) if matrices > 1 else (1, *sides)
    return Case(
        new,
        ((x_type, (*vectors, mw)), (w_type, shape)),
        ((out, (*vectors, mh)),),
        partial(_product, transposed),
        {"PE": pe, "SIMD": simd, "ram_style": ram, "resType": res},
    )


def _product(transposed: bool, x: IntArray, w: IntArray) -> list[IntArray]:
    return [x @ (w.swapaxes(-1, -2) if transposed else w)]
