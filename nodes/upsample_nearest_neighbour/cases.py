# SPDX-License-Identifier: Apache-2.0
"""What the tests of UpsampleNearestNeighbour run over, and what it computes, in numpy."""

from __future__ import annotations

from functools import partial

from qonnx.core.datatype import DataType

from qnnc.compiler.ir.facts import IntArray
from qnnc.nodes.testing import Case
from qnnc.nodes.upsample_nearest_neighbour.node import UpsampleNearestNeighbour


def cases() -> list[Case]:
    """Factors that are equal and that are not."""
    return [case((2, 2), {"SIMD": 1}), case((1, 3), {"SIMD": 4, "ram_style": "block"})]


def case(factors: tuple[int, int], folding: dict[str, int | str]) -> Case:
    """An image of 2 x 3 pixels with four channels."""
    x = DataType["INT3"]
    out = 2 * factors[0], 3 * factors[1]
    new = UpsampleNearestNeighbour.create(channels=4, image=(2, 3), out_image=out, x=x)
    definition = partial(_enlarged, factors)
    return Case(new, ((x, (1, 2, 3, 4)),), ((x, (1, *out, 4)),), definition, folding)


def _enlarged(factors: tuple[int, int], x: IntArray) -> list[IntArray]:
    return [x.repeat(factors[0], axis=2).repeat(factors[1], axis=3)]
