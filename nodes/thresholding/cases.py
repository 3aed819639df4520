# SPDX-License-Identifier: Apache-2.0
"""What the tests of Thresholding run over, and what it computes, in numpy."""

from __future__ import annotations

from functools import partial

import numpy as np
from qonnx.core.datatype import DataType

from qnnc.compiler.datatypes import smallest_type
from qnnc.compiler.ir.facts import IntArray
from qnnc.nodes.testing import Case
from qnnc.nodes.thresholding.node import Thresholding


def cases() -> list[Case]:
    """Few steps and many, a table for each channel and one for all."""
    return [
        case("INT6", 3, 4, {"PE": 2}),
        case("UINT8", 15, 1, {"PE": 1, "ram_style": "block"}),
    ]


def case(x: str, steps: int, rows: int, folding: dict[str, int | str]) -> Case:
    """Four channels of two vectors, through random thresholds."""
    x_type = DataType[x]
    rng = np.random.default_rng(steps)
    low, high = int(x_type.min()) + 1, int(x_type.max())
    table = np.sort(rng.integers(low, high, size=(rows, steps), endpoint=True), axis=1)
    kind, out = smallest_type(int(table.min()), int(table.max())), smallest_type(-1, steps - 1)
    new = Thresholding.create(
        channels=4, steps=steps, x=x_type, thresholds=kind, out=out, base=-1, vectors=(2,)
    )
    shape = (2, 4)
    definition = partial(_reached, table)
    return Case(new, ((x_type, shape),), ((out, shape),), definition, folding, (table,))


def _reached(table: IntArray, x: IntArray) -> list[IntArray]:
    return [(x[..., None] >= table).sum(axis=-1) - 1]
