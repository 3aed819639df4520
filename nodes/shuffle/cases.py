# SPDX-License-Identifier: Apache-2.0
"""What the tests of Shuffle run over, and what it computes, in numpy."""

from __future__ import annotations

from functools import partial

from qonnx.core.datatype import DataType

from qnnc.compiler.dataflow.folding import RamStyle
from qnnc.compiler.ir.facts import IntArray
from qnnc.nodes.shuffle.node import Shuffle
from qnnc.nodes.testing import Case

Shape = tuple[int, ...]


def cases() -> list[Case]:
    """Transposes, depth to space and space to depth, orders that change nothing."""
    return [
        shuffle(apart=(1, 3, 4, 5), perm=(0, 3, 1, 2)),
        shuffle(apart=(1, 5, 3, 4), perm=(0, 2, 3, 1), kind="UINT7", ram="block"),
        shuffle(apart=(1, 4, 3, 6), perm=(0, 2, 1, 3), simd=3),
        shuffle(apart=(1, 6, 1, 1), perm=(0, 2, 3, 1)),
        shuffle(apart=(1, 2, 3, 4), perm=(0, 1, 2, 3), simd=4),
        shuffle(
            apart=(1, 3, 2, 2, 2, 4),
            perm=(0, 1, 3, 2, 4, 5),
            in_shape=(1, 3, 2, 16),
            out_shape=(1, 6, 4, 4),
            simd=4,
        ),
        shuffle(
            apart=(1, 2, 3, 2, 2, 3),
            perm=(0, 1, 3, 2, 4, 5),
            in_shape=(1, 6, 4, 3),
            out_shape=(1, 2, 2, 18),
            simd=1,
            ram="block",
        ),
        shuffle(apart=(1, 2, 3, 4, 2), perm=(0, 4, 2, 3, 1), in_shape=(1, 2, 24, 1)),
        shuffle(apart=(1, 1, 1, 1), perm=(0, 3, 1, 2)),
    ]


def shuffle(
    *,
    apart: Shape,
    perm: Shape,
    kind: str = "INT4",
    simd: int = 1,
    ram: RamStyle = "distributed",
    in_shape: Shape = (),
    out_shape: Shape = (),
) -> Case:
    """A Shuffle; without shapes given, from `apart` to `apart` in the order `perm`."""
    x = DataType[kind]
    given, found = in_shape or apart, out_shape or tuple(apart[p] for p in perm)
    new = Shuffle.create(x=x, in_shape=given, apart=apart, perm=perm, out_shape=found)
    definition = partial(_moved, apart, perm, found)
    folding = {"SIMD": simd, "ram_style": ram}
    return Case(new, ((x, given),), ((x, found),), definition, folding)


def _moved(apart: Shape, perm: Shape, out_shape: Shape, x: IntArray) -> list[IntArray]:
    moved = x.reshape(len(x), *apart).transpose(0, *(p + 1 for p in perm))
    return [moved.reshape(len(x), *out_shape)]
