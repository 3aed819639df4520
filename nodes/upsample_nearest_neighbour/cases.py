# SPDX-License-Identifier: Apache-2.0
"""What the tests of UpsampleNearestNeighbour run over, and what it computes, in numpy."""

from __future__ import annotations

from functools import partial

from qonnx.core.datatype import DataType

from qnnc.compiler.dataflow.folding import RamStyle
from qnnc.compiler.ir.facts import IntArray
from qnnc.nodes.testing import Case
from qnnc.nodes.upsample_nearest_neighbour.node import UpsampleNearestNeighbour

Pair = tuple[int, int]


def cases() -> list[Case]:
    """Up, across, both and neither; in LUTs and in block RAM."""
    return [
        upsample(image=(3, 4), factors=(2, 2), channels=4, simd=2),
        upsample(image=(2, 3), factors=(3, 1), channels=3, simd=3, ram="block"),
        upsample(image=(4, 3), factors=(1, 2), channels=2),
        upsample(image=(1, 1), factors=(4, 3), channels=1, kind="BINARY"),
        upsample(image=(1, 9), factors=(1, 2), channels=5, simd=1, kind="UINT8", ram="block"),
        upsample(image=(2, 2), factors=(1, 1), channels=2, simd=2),
    ]


def upsample(
    *,
    image: Pair,
    factors: Pair,
    channels: int = 1,
    kind: str = "INT4",
    simd: int = 1,
    ram: RamStyle = "distributed",
) -> Case:
    """An UpsampleNearestNeighbour of an image [1, *image, channels]."""
    x, out = DataType[kind], (image[0] * factors[0], image[1] * factors[1])
    new = UpsampleNearestNeighbour.create(channels=channels, image=image, out_image=out, x=x)
    streams = ((x, (1, *image, channels)),), ((x, (1, *out, channels)),)
    folding = {"SIMD": simd, "ram_style": ram}
    return Case(new, *streams, partial(_repeated, factors), folding)


def _repeated(factors: Pair, x: IntArray) -> list[IntArray]:
    return [x.repeat(factors[0], axis=2).repeat(factors[1], axis=3)]
