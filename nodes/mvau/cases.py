# SPDX-License-Identifier: Apache-2.0
"""What the tests of MVAU run over, and what it computes, in numpy."""

from __future__ import annotations

from functools import partial

import numpy as np
from qonnx.core.datatype import DataType

from qnnc.compiler.datatypes import smallest_type
from qnnc.compiler.ir.facts import IntArray
from qnnc.nodes.mvau.embedded_weights import EMBEDDED
from qnnc.nodes.mvau.node import MVAU
from qnnc.nodes.testing import Case, random_of


def cases() -> list[Case]:
    """Types of both arithmetics, foldings from one product per cycle to all, several vectors."""
    return [
        case("UINT2", "INT2", (12, 6), {"PE": 2, "SIMD": 4, "ram_style": "block"}),
        case("TERNARY", "TERNARY", (6, 4), {"PE": 4, "SIMD": 6}),
        case("INT8", "INT8", (8, 4), {"PE": 2, "SIMD": 2, "resType": "dsp"}),
        case("INT3", "INT4", (7, 5), {"PE": 5, "SIMD": 7, "mem_mode": EMBEDDED}),
        case("UINT2", "TERNARY", (9, 12), {"PE": 12, "SIMD": 9, "mem_mode": EMBEDDED}),
    ]


def case(x: str, w: str, size: tuple[int, int], folding: dict[str, int | str]) -> Case:
    """Two vectors times a random matrix [MW, MH]."""
    x_type, w_type = DataType[x], DataType[w]
    weights = random_of(np.random.default_rng(size[0]), w_type, size)
    most = int(max(abs(x_type.min()), x_type.max()) * np.abs(weights).sum(axis=0).max())
    out = smallest_type(-most, most)
    new = MVAU.create(matrix=size, x=x_type, weights=w_type, out=out, vectors=(2,))
    shapes = (2, size[0]), (2, size[1])
    definition = partial(_product, weights)
    return Case(new, ((x_type, shapes[0]),), ((out, shapes[1]),), definition, folding, (weights,))


def _product(weights: IntArray, x: IntArray) -> list[IntArray]:
    return [np.einsum("...i,io->...o", x, weights)]
