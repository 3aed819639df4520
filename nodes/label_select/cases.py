# SPDX-License-Identifier: Apache-2.0
"""What the tests of LabelSelect run over, and what it computes, in numpy."""

from __future__ import annotations

from functools import partial

import numpy as np
from qonnx.core.datatype import DataType

from qnnc.compiler.ir.facts import IntArray
from qnnc.nodes.label_select.node import LabelSelect
from qnnc.nodes.testing import Case


def cases() -> list[Case]:
    """The greatest and the three greatest, with equal ones among them; several scores per word,
    one word and more."""
    return [
        case("INT6", 10, 1),
        case("UINT2", 7, 3),
        case("INT6", 10, 1, pe=10),
        case("UINT2", 15, 1, pe=5),
        case("INT3", 14, 1, pe=2, vectors=3),
        case("INT4", 7, 1, pe=7),
    ]


def case(x: str, labels: int, k: int, pe: int = 1, vectors: int = 1) -> Case:
    """Vectors of scores."""
    kind = DataType[x]
    new = LabelSelect.create(labels=labels, k=k, x=kind, vectors=(vectors,))
    definition = partial(_greatest, k)
    streams = ((kind, (vectors, labels)),), ((DataType["UINT8"], (vectors, k)),)
    return Case(new, *streams, definition, {"PE": pe})


def _greatest(k: int, x: IntArray) -> list[IntArray]:
    return [np.argsort(-x, axis=-1, kind="stable")[..., :k]]
