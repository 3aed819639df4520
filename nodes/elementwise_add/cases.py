# SPDX-License-Identifier: Apache-2.0
"""What the tests of ElementwiseAdd run over, and what it computes, in numpy."""

from __future__ import annotations

import operator

from qnnc.nodes.elementwise_add.node import ElementwiseAdd
from qnnc.nodes.shared.elementwise.cases import constants, of_two
from qnnc.nodes.testing import Case


def cases() -> list[Case]:
    """A constant, and two streams."""
    return constants(ElementwiseAdd, operator.add) + [
        of_two(ElementwiseAdd, operator.add, vectors=vectors, channels=channels, kinds=kinds, pe=pe)
        for vectors, channels, kinds, pe in (
            ((1, 2, 2), 6, ("INT4", "INT4"), 2),
            ((1, 3), 2, ("UINT2", "INT9"), 1),
            ((1,), 3, ("BINARY", "BINARY"), 3),
        )
    ]
