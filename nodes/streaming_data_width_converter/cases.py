# SPDX-License-Identifier: Apache-2.0
"""What the tests of StreamingDataWidthConverter run over, and what it computes, in numpy."""

from __future__ import annotations

from qonnx.core.datatype import DataType

from qnnc.compiler.ir.facts import IntArray
from qnnc.nodes.streaming_data_width_converter.node import StreamingDataWidthConverter
from qnnc.nodes.testing import Case


def cases() -> list[Case]:
    """To wider words, to narrower ones, and to those that neither divides."""
    return [case(1, 4), case(6, 2), case(4, 6)]


def case(lanes_in: int, lanes_out: int) -> Case:
    """Twelve elements."""
    x, shape = DataType["INT3"], (1, 12)
    new = StreamingDataWidthConverter.create(
        shape=shape, x=x, lanes_in=lanes_in, lanes_out=lanes_out
    )
    return Case(new, ((x, shape),), ((x, shape),), _same)


def _same(x: IntArray) -> list[IntArray]:
    return [x]
