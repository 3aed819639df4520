# SPDX-License-Identifier: Apache-2.0
"""What the tests of ReverseSteps run over, and what it computes, in numpy."""

from __future__ import annotations

from qonnx.core.datatype import DataType

from qnnc.compiler.ir.facts import IntArray
from qnnc.nodes.reverse_steps.node import ReverseSteps
from qnnc.nodes.testing import Case


def cases() -> list[Case]:
    """In LUTs, in block RAM, and a single step."""
    return [case(5, 2, "distributed"), case(3, 6, "block"), case(1, 3, "distributed")]


def case(steps: int, simd: int, style: str) -> Case:
    """Steps of six channels."""
    x, shape = DataType["INT5"], (1, steps, 6)
    new = ReverseSteps.create(steps=steps, channels=6, x=x)
    folding: dict[str, int | str] = {"SIMD": simd, "ram_style": style}
    return Case(new, ((x, shape),), ((x, shape),), _reversed, folding)


def _reversed(x: IntArray) -> list[IntArray]:
    return [x[:, :, ::-1]]
