# SPDX-License-Identifier: Apache-2.0
"""What the tests of StreamingFIFO run over, and what it computes, in numpy."""

from __future__ import annotations

from qonnx.core.datatype import DataType

from qnnc.compiler.dataflow.base import Stream
from qnnc.compiler.dataflow.folding import RamStyle
from qnnc.compiler.ir.facts import IntArray
from qnnc.nodes.streaming_fifo.node import StreamingFIFO
from qnnc.nodes.testing import Case


def cases() -> list[Case]:
    """Shallow and deep, in LUTs and in block RAM."""
    kinds: tuple[tuple[int, int, RamStyle], ...] = (
        (1, 2, "distributed"),
        (3, 3, "distributed"),
        (1, 40, "distributed"),
        (2, 33, "block"),
        (1, 200, "block"),
    )
    return [
        fifo(elements=30, kind="INT5", lanes=lanes, depth=depth, ram=ram)
        for lanes, depth, ram in kinds
    ]


def fifo(*, elements: int, kind: str, lanes: int, depth: int, ram: RamStyle) -> Case:
    """A StreamingFIFO of one vector."""
    x, shape = DataType[kind], (1, elements)
    stream = Stream(shape, x, lanes)
    new = StreamingFIFO.create(stream=stream, depth=depth, block=ram == "block", reason="a test")
    return Case(new, ((x, shape),), ((x, shape),), _same)


def _same(x: IntArray) -> list[IntArray]:
    return [x]
