# SPDX-License-Identifier: Apache-2.0
"""What the tests of VVAU run over, and what it computes, in numpy."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
from qonnx.core.datatype import DataType

from qnnc.compiler.dataflow.folding import Arithmetic, RamStyle
from qnnc.compiler.datatypes import BINARY, smallest_type
from qnnc.compiler.ir.facts import IntArray
from qnnc.nodes.testing import Case, random_of
from qnnc.nodes.vvau.node import VVAU

Pair = tuple[int, int]


def cases() -> list[Case]:
    """All kinds of weights, in LUTs and in DSP blocks; few channels and many."""
    rng = np.random.default_rng(5)
    kinds: tuple[tuple[str, str, Pair, int, int, RamStyle, Arithmetic], ...] = (
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
    return [
        vvau(rng, out=(2, 2), kernel=kernel, channels=channels, x=x, w=w, pe=pe, ram=ram, res=res)
        for x, w, kernel, channels, pe, ram, res in kinds
    ]


def vvau(
    rng: np.random.Generator,
    *,
    out: Pair,
    kernel: Pair,
    channels: int = 1,
    x: str = "UINT4",
    w: str = "INT4",
    pe: int = 1,
    ram: RamStyle = "distributed",
    res: Arithmetic = "lut",
) -> Case:
    """A VVAU with random weights that gives [1, *out, channels]; x BINARY and w BINARY is the
    XNOR form."""
    x_type, w_type, count = DataType[x], DataType[w], math.prod(kernel)
    weights = random_of(rng, w_type, (channels, 1, *kernel))
    xnor = x_type == w_type == BINARY
    ends = np.stack([weights * int(x_type.min()), weights * int(x_type.max())])
    sums = ends.reshape(2, channels, count)
    low, high = int(sums.min(axis=0).sum(axis=1).min()), int(sums.max(axis=0).sum(axis=1).max())
    y = smallest_type(0, count) if xnor else smallest_type(low, high)
    new = VVAU.create(
        out_image=out, channels=channels, kernel=kernel, x=x_type, weights=w_type, out=y, xnor=xnor
    )
    streams = ((x_type, (1, *out, count * channels)),), ((y, (1, *out, channels)),)
    definition = partial(_summed, weights.reshape(channels, count).T, xnor)
    folding = {"PE": pe, "ram_style": ram, "resType": res}
    return Case(new, *streams, definition, folding, (weights,))


def _summed(weights: IntArray, xnor: bool, x: IntArray) -> list[IntArray]:
    apart = x.reshape(*x.shape[:-1], *weights.shape)
    return [(apart == weights if xnor else apart * weights).sum(axis=-2)]
