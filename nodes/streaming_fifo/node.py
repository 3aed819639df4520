# SPDX-License-Identifier: Apache-2.0
"""StreamingFIFO: holds words back for a consumer that is not ready yet."""

from __future__ import annotations

import math
from collections.abc import Sequence

import onnx_ir as ir
from qonnx.core.datatype import BaseDataType

from qnnc.compiler.dataflow import attributes, cost
from qnnc.compiler.dataflow.base import NewNode, Ports, Stream
from qnnc.compiler.dataflow.folding import Folding
from qnnc.compiler.dataflow.plumbing import Fifo
from qnnc.compiler.ir.builder import Builder
from qnnc.compiler.resources import Resources


class StreamingFIFO(Fifo):
    """Input x; output x. depth is in words of folded_shape[-1] elements, at least 2.

    With a depth of 2 a word passes in every other cycle: the only word in memory has to move to
    the output register before the next one is taken. A register slice would pass one per cycle,
    but takes a LUT for each bit, twice as many as this memory.
    """

    op_type = "StreamingFIFO"
    short_name = "fifo"
    kind = "plumbing"
    folding_type = Folding
    input_types = ("datatype",)
    output_types = ()
    keeps_coding = True

    datatype: BaseDataType = attributes.integer_type("dataType")
    depth: int = attributes.integer("depth")
    shape: tuple[int, ...] = attributes.integers("normal_shape")
    folded_shape: tuple[int, ...] = attributes.integers("folded_shape")
    ram_style: str = attributes.text("ram_style", "distributed")
    reason: str = attributes.text("reason", "asked for")

    @classmethod
    def create(
        cls,
        *,
        stream: Stream,
        depth: int,
        block: bool,
        reason: str,
    ) -> NewNode:
        """Room for `depth` words, in block RAM or in LUTs; the reason is for the report."""
        return cls.new(
            depth=depth,
            normal_shape=list(stream.shape),
            folded_shape=[*stream.shape[:-1], stream.shape[-1] // stream.lanes, stream.lanes],
            dataType=stream.datatype.name,
            ram_style="block" if block else "distributed",
            reason=reason,
        )

    def __init__(self, node: ir.Node) -> None:
        super().__init__(node)
        self.lanes = self.folded_shape[-1]
        self.block = self.ram_style == "block"

    def notes(self, folding: Folding) -> list[str]:
        bits = self.lanes * self.datatype.bitwidth()
        return [f"{self.depth} words of {bits} bits: {self.reason}"]

    def ports(self, folding: Folding) -> Ports:
        stream = Stream(self.shape, self.datatype, self.lanes)
        return Ports((stream,), (stream,))

    def cycles(self, folding: Folding) -> int:
        return math.prod(self.shape) // self.lanes * (2 if self.depth == 2 else 1)

    def latency(self, folding: Folding) -> int:
        return 2

    def resources(self, folding: Folding) -> Resources:
        width = self.lanes * self.datatype.bitwidth()
        rows = self.depth - 1
        luts = 2 * cost.counter(rows) + 2 * cost.bits_for(rows + 1) + 8
        ffs = 2 * cost.bits_for(rows) + cost.bits_for(rows + 1) + 3
        if self.block:
            ram = cost.block_ram(width, rows)
            return Resources(LUT=luts + ram.LUT, FF=ffs, BRAM18=ram.BRAM18)
        return Resources(LUT=luts + cost.lut_ram(width, rows), FF=width + ffs)

    def reference(self, b: Builder, inputs: Sequence[ir.Value]) -> list[ir.Value]:
        return [b.op("Identity", inputs[0])]
