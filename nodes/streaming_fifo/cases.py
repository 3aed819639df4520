# SPDX-License-Identifier: Apache-2.0
"""What the tests of StreamingFIFO run over, and what it computes, in numpy."""

from __future__ import annotations

from qonnx.core.datatype import DataType

from qnnc.compiler.dataflow.base import Stream
from qnnc.compiler.ir.facts import IntArray
from qnnc.nodes.streaming_fifo.node import StreamingFIFO
from qnnc.nodes.testing import Case


def cases() -> list[Case]:
    """In LUTs and in block RAM."""
    return [case(3, False), case(40, True)]


def case(depth: int, block: bool) -> Case:
    """Sixteen elements, two a word."""
    x, shape = DataType["UINT4"], (1, 16)
    stream = Stream(shape, x, 2)
    new = StreamingFIFO.create(stream=stream, depth=depth, block=block, reason="a test")
    return Case(new, ((x, shape),), ((x, shape),), _same)


def _same(x: IntArray) -> list[IntArray]:
    return [x]
