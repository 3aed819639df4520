# SPDX-License-Identifier: Apache-2.0
"""What the tests of ElementwiseAdd run over, and what it computes, in numpy."""

from __future__ import annotations

from functools import partial

import numpy as np
from qonnx.core.datatype import DataType

from qnnc.compiler.datatypes import smallest_type
from qnnc.compiler.ir.facts import IntArray
from qnnc.nodes.elementwise_add.node import ElementwiseAdd
from qnnc.nodes.testing import Case, random_of


def cases() -> list[Case]:
    """Two streams, a constant for each channel, and one for all."""
    return [case("UINT4", "INT3", 0, 2), case("INT5", "INT4", 6, 3), case("INT3", "INT6", 1, 1)]


def case(x: str, y: str, constant: int, pe: int) -> Case:
    """Six channels with a stream (0), a constant for each (6) or one for all (1)."""
    x_type, y_type = DataType[x], DataType[y]
    shape = (1, 6)
    low, high = zip(*((int(kind.min()), int(kind.max())) for kind in (x_type, y_type)), strict=True)
    ends = [a + b for a in (low[0], high[0]) for b in (low[1], high[1])]
    out = smallest_type(min(ends), max(ends))
    new = ElementwiseAdd.create(shape=shape, x=x_type, y=y_type, out=out, constant=constant)
    folding = {"PE": pe}
    if not constant:
        streams = ((x_type, shape), (y_type, shape))
        return Case(new, streams, ((out, shape),), _of_two, folding)
    operand = random_of(np.random.default_rng(constant), y_type, (constant,))
    definition = partial(_with, operand)
    return Case(new, ((x_type, shape),), ((out, shape),), definition, folding, (operand,))


def _of_two(x: IntArray, y: IntArray) -> list[IntArray]:
    return [x + y]


def _with(y: IntArray, x: IntArray) -> list[IntArray]:
    return [x + y]
