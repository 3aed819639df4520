# SPDX-License-Identifier: Apache-2.0
"""What the tests of VVAU run over, and what it computes, in numpy."""

from __future__ import annotations

from functools import partial

import numpy as np
from qonnx.core.datatype import DataType

from qnnc.compiler.datatypes import smallest_type
from qnnc.compiler.ir.facts import IntArray
from qnnc.nodes.testing import Case, random_of
from qnnc.nodes.vvau.node import VVAU


def cases() -> list[Case]:
    """Windows of 2x2 in vectors, one channel a cycle and several."""
    return [case("UINT2", "INT3", 1, "lut"), case("INT4", "INT4", 2, "dsp")]


def case(x: str, w: str, pe: int, res: str) -> Case:
    """Four channels, windows [2, 2] of an image with 1 x 3 of them."""
    x_type, w_type = DataType[x], DataType[w]
    weights = random_of(np.random.default_rng(pe), w_type, (4, 1, 2, 2))
    most = int(max(abs(x_type.min()), x_type.max()) * np.abs(weights).sum(axis=(1, 2, 3)).max())
    out = smallest_type(-most, most)
    new = VVAU.create(
        out_image=(1, 3), channels=4, kernel=(2, 2), x=x_type, weights=w_type, out=out
    )
    folding: dict[str, int | str] = {"PE": pe, "resType": res}
    shapes = (1, 1, 3, 16), (1, 1, 3, 4)
    definition = partial(_products, weights)
    return Case(new, ((x_type, shapes[0]),), ((out, shapes[1]),), definition, folding, (weights,))


def _products(weights: IntArray, x: IntArray) -> list[IntArray]:
    apart = x.reshape(*x.shape[:-1], 4, 4)  # [..., window, channels]
    return [np.einsum("...kc,ck->...c", apart, weights.reshape(4, 4))]
