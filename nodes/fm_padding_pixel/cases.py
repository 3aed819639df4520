# SPDX-License-Identifier: Apache-2.0
"""What the tests of FMPadding_Pixel run over, and what it computes, in numpy."""

from __future__ import annotations

from functools import partial

import numpy as np
from qonnx.core.datatype import DataType

from qnnc.compiler.ir.facts import IntArray
from qnnc.nodes.fm_padding_pixel.node import FMPadding_Pixel
from qnnc.nodes.testing import Case


def cases() -> list[Case]:
    """Pixels two and three apart."""
    return [case((2, 2), 1), case((1, 3), 2)]


def case(stride: tuple[int, int], simd: int) -> Case:
    """An image of 3 x 4 pixels with four channels."""
    x = DataType["UINT3"]
    new = FMPadding_Pixel.create(channels=4, image=(3, 4), stride=stride, x=x)
    shape = (1, 2 * stride[0] + 1, 3 * stride[1] + 1, 4)
    definition = partial(_apart, stride, shape)
    return Case(new, ((x, (1, 3, 4, 4)),), ((x, shape),), definition, {"SIMD": simd})


def _apart(stride: tuple[int, int], shape: tuple[int, ...], x: IntArray) -> list[IntArray]:
    found = np.zeros((len(x), *shape), dtype=np.int64)
    found[:, :, :: stride[0], :: stride[1]] = x
    return [found]
