# SPDX-License-Identifier: Apache-2.0
"""What the tests of Pool run over, and what it computes, in numpy."""

from __future__ import annotations

from functools import partial

from qonnx.core.datatype import DataType

from qnnc.compiler.datatypes import smallest_type
from qnnc.compiler.ir.facts import IntArray
from qnnc.nodes.pool.node import Pool
from qnnc.nodes.testing import Case


def cases() -> list[Case]:
    """Maxima and sums."""
    return [case(True, 2), case(False, 1)]


def case(greatest: bool, pe: int) -> Case:
    """Four channels, windows [2, 2] of an image with 2 x 3 of them."""
    x = DataType["INT4"]
    out = x if greatest else smallest_type(4 * int(x.min()), 4 * int(x.max()))
    new = Pool.create(
        function="MaxPool" if greatest else "AccPool",
        channels=4,
        kernel=(2, 2),
        out_image=(2, 3),
        x=x,
        out=out,
    )
    definition = partial(_pooled, greatest)
    return Case(new, ((x, (1, 2, 3, 16)),), ((out, (1, 2, 3, 4)),), definition, {"PE": pe})


def _pooled(greatest: bool, x: IntArray) -> list[IntArray]:
    apart = x.reshape(*x.shape[:-1], 4, 4)
    return [apart.max(axis=-2) if greatest else apart.sum(axis=-2)]
