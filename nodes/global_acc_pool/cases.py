# SPDX-License-Identifier: Apache-2.0
"""What the tests of GlobalAccPool run over, and what it computes, in numpy."""

from __future__ import annotations

import math

from qonnx.core.datatype import DataType

from qnnc.compiler.datatypes import smallest_type
from qnnc.compiler.ir.facts import IntArray
from qnnc.nodes.global_acc_pool.node import GlobalAccPool
from qnnc.nodes.testing import Case


def cases() -> list[Case]:
    """Images of one pixel and more; few channels and many."""
    return [
        total(image=(4, 3), channels=6, pe=2),
        total(image=(1, 1), channels=2, pe=1, kind="INT4"),
        total(image=(1, 7), channels=5, pe=5, kind="INT8"),
        total(image=(5, 5), channels=1, kind="BINARY"),
        total(image=(2, 2), channels=70, pe=1, kind="UINT8"),
    ]


def total(*, image: tuple[int, int], channels: int = 1, kind: str = "UINT4", pe: int = 1) -> Case:
    """A GlobalAccPool of an image [1, *image, channels]."""
    x, count = DataType[kind], math.prod(image)
    y = smallest_type(int(x.min()) * count, int(x.max()) * count)
    new = GlobalAccPool.create(channels=channels, image=image, x=x, out=y)
    streams = ((x, (1, *image, channels)),), ((y, (1, 1, 1, channels)),)
    return Case(new, *streams, _total, {"PE": pe})


def _total(x: IntArray) -> list[IntArray]:
    return [x.sum(axis=(2, 3), keepdims=True)]
