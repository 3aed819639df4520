# SPDX-License-Identifier: Apache-2.0
"""What the tests of DuplicateStreams run over, and what it computes, in numpy."""

from __future__ import annotations

from functools import partial

from qonnx.core.datatype import DataType

from qnnc.compiler.ir.facts import IntArray
from qnnc.nodes.duplicate_streams.node import DuplicateStreams
from qnnc.nodes.testing import Case


def cases() -> list[Case]:
    """One copy to five."""
    return [
        duplicate(vectors=(1, 2, 3), channels=4, copies=2, pe=2),
        duplicate(vectors=(1,), channels=3, copies=5, pe=3, kind="UINT7"),
        duplicate(vectors=(1, 2), channels=2, copies=1),
    ]


def duplicate(
    *, vectors: tuple[int, ...], channels: int, copies: int, kind: str = "INT3", pe: int = 1
) -> Case:
    """A DuplicateStreams of [*vectors, channels]."""
    x, shape = DataType[kind], (*vectors, channels)
    new = DuplicateStreams.create(shape=shape, x=x, copies=copies)
    definition = partial(_copied, copies)
    return Case(new, ((x, shape),), ((x, shape),) * copies, definition, {"PE": pe})


def _copied(copies: int, x: IntArray) -> list[IntArray]:
    return [x] * copies
