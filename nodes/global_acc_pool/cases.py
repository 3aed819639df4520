# SPDX-License-Identifier: Apache-2.0
"""What the tests of GlobalAccPool run over, and what it computes, in numpy."""

from __future__ import annotations

from qonnx.core.datatype import DataType

from qnnc.compiler.datatypes import smallest_type
from qnnc.compiler.ir.facts import IntArray
from qnnc.nodes.global_acc_pool.node import GlobalAccPool
from qnnc.nodes.testing import Case


def cases() -> list[Case]:
    """One channel a cycle, and two."""
    return [case("UINT4", 1), case("INT3", 2)]


def case(x: str, pe: int) -> Case:
    """An image of 3 x 2 pixels with four channels."""
    kind = DataType[x]
    out = smallest_type(6 * int(kind.min()), 6 * int(kind.max()))
    new = GlobalAccPool.create(channels=4, image=(3, 2), x=kind, out=out)
    return Case(new, ((kind, (1, 3, 2, 4)),), ((out, (1, 1, 1, 4)),), _total, {"PE": pe})


def _total(x: IntArray) -> list[IntArray]:
    return [x.sum(axis=(2, 3), keepdims=True)]
