# SPDX-License-Identifier: Apache-2.0
"""What the tests of Shuffle run over, and what it computes, in numpy."""

from __future__ import annotations

from functools import partial

import numpy as np
from qonnx.core.datatype import DataType

from qnnc.compiler.ir.facts import IntArray
from qnnc.nodes.shuffle.node import Shuffle
from qnnc.nodes.testing import Case


def cases() -> list[Case]:
    """Channels first to channels last, and pairs of elements that stay together."""
    return [
        case((1, 3, 4, 1), (0, 2, 1, 3), {"SIMD": 1}),
        case((1, 3, 2, 4), (0, 2, 1, 3), {"SIMD": 2, "ram_style": "block"}),
    ]


def case(apart: tuple[int, ...], perm: tuple[int, ...], folding: dict[str, int | str]) -> Case:
    """A transpose of a vector taken apart."""
    x = DataType["UINT3"]
    shape = (1, apart[1], apart[2] * apart[3])
    out = (1, apart[2], apart[1] * apart[3])
    new = Shuffle.create(x=x, in_shape=shape, apart=apart, perm=perm, out_shape=out)
    definition = partial(_moved, apart, out)
    return Case(new, ((x, shape),), ((x, out),), definition, folding)


def _moved(apart: tuple[int, ...], out: tuple[int, ...], x: IntArray) -> list[IntArray]:
    taken = x.reshape(len(x), *apart)
    return [np.swapaxes(taken, 2, 3).reshape(len(x), *out)]
