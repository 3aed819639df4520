# SPDX-License-Identifier: Apache-2.0
"""What the tests of FMPadding_Pixel run over, and what it computes, in numpy."""

from __future__ import annotations

from functools import partial

import numpy as np
from qonnx.core.datatype import DataType

from qnnc.compiler.ir.facts import IntArray
from qnnc.nodes.fm_padding_pixel.node import FMPadding_Pixel
from qnnc.nodes.testing import Case

Pair = tuple[int, int]


def cases() -> list[Case]:
    """Zeros between rows, between columns, between neither."""
    return [
        spread(image=(3, 4), stride=(2, 2), channels=2),
        spread(image=(4, 3), stride=(3, 1), channels=4, simd=4, kind="INT4"),
        spread(image=(1, 5), stride=(1, 4), channels=3, simd=3, kind="INT3"),
        spread(image=(1, 1), stride=(2, 3), channels=2),
        spread(image=(3, 3), stride=(1, 1), channels=2, simd=2),
        spread(image=(2, 6), stride=(5, 2), channels=1, kind="BINARY"),
    ]


def spread(
    *, image: Pair, stride: Pair, channels: int = 1, kind: str = "UINT2", simd: int = 1
) -> Case:
    """An FMPadding_Pixel of an image [1, *image, channels]."""
    x = DataType[kind]
    new = FMPadding_Pixel.create(channels=channels, image=image, stride=stride, x=x)
    out = (image[0] - 1) * stride[0] + 1, (image[1] - 1) * stride[1] + 1
    streams = ((x, (1, *image, channels)),), ((x, (1, *out, channels)),)
    return Case(new, *streams, partial(_spread, out, stride), {"SIMD": simd})


def _spread(out: Pair, stride: Pair, x: IntArray) -> list[IntArray]:
    found = np.zeros((len(x), 1, *out, x.shape[-1]), dtype=np.int64)
    found[:, :, :: stride[0], :: stride[1]] = x
    return [found]
