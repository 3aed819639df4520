# SPDX-License-Identifier: Apache-2.0
"""What the tests of Pool run over, and what it computes, in numpy."""

from __future__ import annotations

import math
from functools import partial
from typing import Literal

from qonnx.core.datatype import DataType

from qnnc.compiler.datatypes import smallest_type
from qnnc.compiler.ir.facts import IntArray
from qnnc.nodes.pool.node import Pool
from qnnc.nodes.testing import Case

Pair = tuple[int, int]


def cases() -> list[Case]:
    """Maxima and sums; windows of one element and more; few channels and many."""
    found = [
        pool(out=(2, 3), kernel=(2, 2), channels=4, pe=2),
        pool(out=(2, 2), kernel=(3, 3), channels=3, pe=1, kind="INT5"),
        pool(out=(1, 3), kernel=(1, 2), channels=6, pe=6, kind="BINARY"),
        pool(out=(2, 2), kernel=(1, 1), channels=4, pe=2, kind="INT3"),
        pool(out=(2, 2), kernel=(2, 1), channels=5, pe=1, kind="TERNARY"),
        pool(out=(1, 1), kernel=(3, 4), channels=1, kind="INT8"),
        pool(out=(2, 2), kernel=(2, 2), channels=40, pe=1, kind="UINT2"),
    ]
    found += [
        pool(out=(2, 2), kernel=kernel, channels=channels, pe=pe, kind=kind, function="AccPool")
        for kernel, channels, pe, kind in (
            ((2, 2), 4, 2, "UINT4"),
            ((3, 3), 3, 3, "INT5"),
            ((1, 1), 2, 1, "INT4"),
            ((2, 3), 6, 1, "BINARY"),
            ((2, 2), 36, 1, "TERNARY"),
        )
    ]
    return found


def pool(
    *,
    out: Pair,
    kernel: Pair,
    function: Literal["MaxPool", "AccPool"] = "MaxPool",
    channels: int = 1,
    kind: str = "UINT4",
    pe: int = 1,
) -> Case:
    """A Pool that gives [1, *out, channels]."""
    x, count = DataType[kind], math.prod(kernel)
    factor = 1 if function == "MaxPool" else count
    y = smallest_type(int(x.min()) * factor, int(x.max()) * factor)
    new = Pool.create(
        function=function, channels=channels, kernel=kernel, out_image=out, x=x, out=y
    )
    streams = ((x, (1, *out, count * channels)),), ((y, (1, *out, channels)),)
    return Case(new, *streams, partial(_pooled, function, channels), {"PE": pe})


def _pooled(function: str, channels: int, x: IntArray) -> list[IntArray]:
    apart = x.reshape(*x.shape[:-1], -1, channels)
    return [apart.max(axis=-2) if function == "MaxPool" else apart.sum(axis=-2)]
