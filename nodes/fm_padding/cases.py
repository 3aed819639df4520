# SPDX-License-Identifier: Apache-2.0
"""What the tests of FMPadding run over, and what it computes, in numpy."""

from __future__ import annotations

from functools import partial

import numpy as np
from qonnx.core.datatype import DataType

from qnnc.compiler.ir.facts import IntArray
from qnnc.nodes.fm_padding.node import FMPadding
from qnnc.nodes.testing import Case

Pads = tuple[int, int, int, int]


def cases() -> list[Case]:
    """Borders of zeros and of another number, on some sides and on all."""
    return [
        padding(image=(4, 5), pads=(1, 1, 1, 1)),
        padding(image=(4, 5), pads=(0, 2, 1, 0), channels=6, simd=2, kind="INT4", value=-3),
        padding(image=(3, 2), pads=(2, 0, 0, 3), channels=4, simd=4, kind="INT8", value=-128),
        padding(image=(3, 3), pads=(0, 0, 0, 0), channels=2),
        padding(image=(1, 6), pads=(0, 2, 0, 2), channels=3, simd=1, kind="UINT3", value=7),
        padding(image=(1, 1), pads=(3, 0, 2, 1), channels=1, kind="BINARY", value=1),
        padding(image=(5, 1), pads=(1, 0, 0, 0), channels=2, simd=2, kind="TERNARY", value=-1),
        padding(image=(2, 2), pads=(0, 0, 5, 7), channels=2, simd=1),
    ]


def padding(
    *,
    image: tuple[int, int],
    pads: Pads,
    channels: int = 1,
    kind: str = "UINT2",
    simd: int = 1,
    value: int = 0,
) -> Case:
    """An FMPadding of an image [1, *image, channels]; pads are top, left, bottom, right."""
    x = DataType[kind]
    new = FMPadding.create(channels=channels, image=image, border=pads, x=x, value=value)
    shape = (1, image[0] + pads[0] + pads[2], image[1] + pads[1] + pads[3], channels)
    streams = ((x, (1, *image, channels)),), ((x, shape),)
    return Case(new, *streams, partial(_padded, pads, value), {"SIMD": simd})


def _padded(pads: Pads, value: int, x: IntArray) -> list[IntArray]:
    top, left, bottom, right = pads
    widths = ((0, 0), (0, 0), (top, bottom), (left, right), (0, 0))
    return [np.pad(x, widths, constant_values=value)]
