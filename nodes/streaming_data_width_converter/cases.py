# SPDX-License-Identifier: Apache-2.0
"""What the tests of StreamingDataWidthConverter run over, and what it computes, in numpy."""

from __future__ import annotations

from qonnx.core.datatype import DataType

from qnnc.compiler.ir.facts import IntArray
from qnnc.nodes.streaming_data_width_converter.node import StreamingDataWidthConverter
from qnnc.nodes.testing import Case


def cases() -> list[Case]:
    """To words of more elements and of fewer, whole multiples and others."""
    return [
        width_converter(elements=60, kind=kind, lanes_in=lanes_in, lanes_out=lanes_out)
        for kind, lanes_in, lanes_out in (
            ("INT3", 1, 4),
            ("UINT8", 4, 1),
            ("BINARY", 1, 60),
            ("INT2", 60, 1),
            ("INT5", 6, 10),
            ("UINT7", 12, 5),
            ("TERNARY", 2, 3),
            ("INT4", 3, 2),
            ("UINT2", 1, 2),
            ("UINT2", 2, 1),
            ("INT9", 20, 4),
        )
    ]


def width_converter(*, elements: int, kind: str, lanes_in: int, lanes_out: int) -> Case:
    """A StreamingDataWidthConverter of one vector."""
    x, shape = DataType[kind], (1, elements)
    new = StreamingDataWidthConverter.create(
        shape=shape, x=x, lanes_in=lanes_in, lanes_out=lanes_out
    )
    return Case(new, ((x, shape),), ((x, shape),), _same)


def _same(x: IntArray) -> list[IntArray]:
    return [x]
