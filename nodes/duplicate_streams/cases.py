# SPDX-License-Identifier: Apache-2.0
"""What the tests of DuplicateStreams run over, and what it computes, in numpy."""

from __future__ import annotations

from functools import partial

from qonnx.core.datatype import DataType

from qnnc.compiler.ir.facts import IntArray
from qnnc.nodes.duplicate_streams.node import DuplicateStreams
from qnnc.nodes.testing import Case


def cases() -> list[Case]:
    """Two copies and three."""
    return [case(2, 1), case(3, 2)]


def case(copies: int, pe: int) -> Case:
    """Two vectors of four channels."""
    x, shape = DataType["INT5"], (2, 4)
    new = DuplicateStreams.create(shape=shape, x=x, copies=copies)
    definition = partial(_copied, copies)
    return Case(new, ((x, shape),), ((x, shape),) * copies, definition, {"PE": pe})


def _copied(copies: int, x: IntArray) -> list[IntArray]:
    return [x] * copies
