# SPDX-License-Identifier: Apache-2.0
"""What the tests of ElementwiseMul run over, and what it computes, in numpy."""

from __future__ import annotations

import operator

from qnnc.nodes.elementwise_mul.node import ElementwiseMul
from qnnc.nodes.shared.elementwise.cases import constants, of_two
from qnnc.nodes.testing import Case


def cases() -> list[Case]:
    """A constant, and two streams."""
    return constants(ElementwiseMul, operator.mul) + [
        of_two(ElementwiseMul, operator.mul, vectors=vectors, channels=channels, kinds=kinds, pe=pe)
        for vectors, channels, kinds, pe in (
            ((1, 2, 2), 4, ("UINT4", "INT3"), 4),
            ((1, 5), 2, ("INT8", "UINT8"), 1),
            ((1, 2), 4, ("UINT3", "UINT2"), 2),
        )
    ]
