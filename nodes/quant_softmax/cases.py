# SPDX-License-Identifier: Apache-2.0
"""What the tests of QuantSoftmax run over, and what it computes, in numpy."""

from __future__ import annotations

from functools import partial

import numpy as np
from qonnx.core.datatype import DataType

from qnnc.compiler.datatypes import smallest_type
from qnnc.compiler.ir.facts import IntArray
from qnnc.compiler.ir.operators.integer_softmax import Exponents
from qnnc.nodes.quant_softmax.node import QuantSoftmax
from qnnc.nodes.testing import Case


def cases() -> list[Case]:
    """Types, steep and flat exponents, roundings, one vector and several, one lane to all."""
    return [
        softmax(x="INT8", bits=8, channels=8, vectors=5, scale=1 / 16, pe=1),
        softmax(x="INT8", bits=8, channels=8, vectors=3, scale=1 / 4, pe=4),
        softmax(x="UINT4", bits=4, channels=6, vectors=4, scale=0.3, pe=2, rounding=0),
        softmax(x="INT4", bits=4, channels=5, vectors=1, scale=1.0, pe=5, rounding=2),
        softmax(x="INT3", bits=2, channels=1, vectors=3, scale=0.5, pe=1),
        softmax(x="BINARY", bits=1, channels=4, vectors=2, scale=2.0, pe=1),
        softmax(x="TERNARY", bits=6, channels=12, vectors=2, scale=0.7, pe=3, base=-32),
        softmax(x="INT5", bits=3, channels=16, vectors=2, scale=4.0, pe=16, step=0.05),
        softmax(x="INT4", bits=8, channels=6, vectors=3, scale=0.2, pe=2, step=0.0007),
        softmax(x="INT4", bits=4, channels=3, vectors=2, scale=0.9, pe=1, step=2.0**-17),
    ]


def softmax(
    *,
    x: str,
    bits: int,
    channels: int,
    vectors: int,
    scale: float,
    pe: int,
    rounding: int = 1,
    base: int = 0,
    step: float = 0.0,
) -> Case:
    """Vectors of codes; codes of `bits` bits out, a step apart (by default from 0 to 1)."""
    x_type, most = DataType[x], 2**bits - 1
    found = Exponents.tabulate(
        int(x_type.max()) - int(x_type.min()) + 1,
        scale=scale,
        offset=0.0,
        step=step or 1 / most,
        rounding=rounding,
        most=most,
        base=base,
    )
    out = smallest_type(base, base + most)
    shape = (1, vectors, channels) if vectors > 1 else (1, channels)
    new = QuantSoftmax.create(channels=channels, found=found, x=x_type, out=out, vectors=shape[:-1])
    constants = (found.tables, np.array([scale, 0.0, found.step]))
    streams = ((x_type, shape),), ((out, shape),)
    return Case(new, *streams, partial(_codes, found), {"PE": pe}, constants)


def _codes(found: Exponents, x: IntArray) -> list[IntArray]:
    """By long division, as whole numbers of any size."""
    result = np.empty(x.shape, dtype=np.int64)
    for place in np.ndindex(x.shape[:-1]):
        distances = [int(x[place].max()) - int(code) for code in x[place]]
        total = sum(int(found.tables[0][d]) for d in distances)
        for i, d in enumerate(distances):
            above = 2 * int(found.tables[1][d]) + found.rounding * total
            result[(*place, i)] = min(above // (2 * total), found.most) + found.base
    return [result]
