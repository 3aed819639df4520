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
    """The greatest, some and all, with equal ones among them; one score alone."""
    return [
        label_select(labels=labels, k=k, kind=kind)
        for labels, k, kind in (
            (10, 1, "INT9"),
            (10, 10, "UINT3"),
            (2, 1, "INT4"),
            (17, 3, "INT3"),
            (1, 1, "INT4"),
        )
    ] + [
        label_select(labels=labels, k=1, kind=kind, pe=pe, vectors=vectors)
        for labels, kind, pe, vectors in (
            (10, "INT6", 10, 1),
            (15, "UINT2", 5, 1),
            (14, "INT3", 2, 3),
            (7, "INT4", 7, 1),
        )
    ]


def label_select(*, labels: int, k: int, kind: str, pe: int = 1, vectors: int = 1) -> Case:
    """A LabelSelect of vectors of scores, `pe` of them per word."""
    x = DataType[kind]
    new = LabelSelect.create(labels=labels, k=k, x=x, vectors=(vectors,))
    streams = ((x, (vectors, labels)),), ((DataType["UINT8"], (vectors, k)),)
    return Case(new, *streams, partial(_greatest, k), {"PE": pe})


def _greatest(k: int, x: IntArray) -> list[IntArray]:
    return [np.argsort(-x, axis=-1, kind="stable")[..., :k]]
