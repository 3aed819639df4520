# SPDX-License-Identifier: Apache-2.0
"""What the tests of FMPadding run over, and what it computes, in numpy."""

from __future__ import annotations

from functools import partial

import numpy as np
from qonnx.core.datatype import DataType

from qnnc.compiler.ir.facts import IntArray
from qnnc.nodes.fm_padding.node import FMPadding
from qnnc.nodes.testing import Case


def cases() -> list[Case]:
    """Borders of zeros and of another number."""
    return [case((1, 1, 1, 1), 0, 1), case((0, 2, 1, 0), -3, 2)]


def case(border: tuple[int, int, int, int], value: int, simd: int) -> Case:
    """An image of 3 x 4 pixels with four channels."""
    x = DataType["INT4"]
    new = FMPadding.create(channels=4, image=(3, 4), border=border, x=x, value=value)
    top, left, bottom, right = border
    shape = (1, 3 + top + bottom, 4 + left + right, 4)
    definition = partial(_padded, border, value)
    return Case(new, ((x, (1, 3, 4, 4)),), ((x, shape),), definition, {"SIMD": simd})


def _padded(border: tuple[int, int, int, int], value: int, x: IntArray) -> list[IntArray]:
    top, left, bottom, right = border
    pads = ((0, 0), (0, 0), (top, bottom), (left, right), (0, 0))
    return [np.pad(x, pads, constant_values=value)]
