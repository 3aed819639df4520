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
    """The greatest and the three greatest, with equal ones among them."""
    return [case("INT6", 10, 1), case("UINT2", 7, 3)]


def case(x: str, labels: int, k: int) -> Case:
    """One vector of scores."""
    kind = DataType[x]
    new = LabelSelect.create(labels=labels, k=k, x=kind)
    definition = partial(_greatest, k)
    return Case(new, ((kind, (1, labels)),), ((DataType["UINT8"], (1, k)),), definition)


def _greatest(k: int, x: IntArray) -> list[IntArray]:
    return [np.argsort(-x, axis=-1, kind="stable")[..., :k]]
