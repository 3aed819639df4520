# SPDX-License-Identifier: Apache-2.0
"""FMPadding: a border of constant pixels round an image."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import onnx_ir as ir

from qnnc.compiler.dataflow import cost
from qnnc.compiler.dataflow.base import DataflowNode, Folding, Ports, Range, Stream, divisors
from qnnc.compiler.dataflow.schedule import Intake, Schedule, cumulative
from qnnc.compiler.ir.builder import Builder
from qnnc.compiler.resources import Resources


class FMPadding(DataflowNode):
    """Input x [1, H, W, C]; output [1, H + top + bottom, W + left + right, C].

    Padding is [top, left, bottom, right], PadValue (0 in FINN) the integer that fills it.
    """

    op_type = "FMPadding"
    folding_attributes = ("SIMD",)
    output_types = ()
    keeps_coding = True

    def __init__(self, node: ir.Node) -> None:
        super().__init__(node)
        self.image = self.pair("ImgDim")
        self.channels = int(self.attr("NumChannels"))
        self.datatype = self.type_attr("inputDataType")
        self.value = int(self.attr("PadValue", 0))
        self.top, self.left, self.bottom, self.right = (int(n) for n in self.attr("Padding"))

    @property
    def out(self) -> tuple[int, int]:
        """Rows and columns of the output."""
        height, width = self.image
        return height + self.top + self.bottom, width + self.left + self.right

    def foldings(self) -> Iterable[Folding]:
        return (Folding(SIMD=simd) for simd in divisors(self.channels))

    def output_ranges(self, inputs: Sequence[Range]) -> list[Range]:
        return [inputs[0].including(self.value)]

    def ports(self, folding: Folding) -> Ports:
        return Ports(
            (Stream((1, *self.image, self.channels), self.datatype, folding.SIMD),),
            (Stream((1, *self.out, self.channels), self.datatype, folding.SIMD),),
        )

    def cycles(self, folding: Folding) -> int:
        return self.out[0] * self.out[1] * (self.channels // folding.SIMD)

    def latency(self, folding: Folding) -> int:
        return (self.top * self.out[1] + self.left) * (self.channels // folding.SIMD) + 1

    def schedule(self, folding: Folding) -> Schedule:
        """A pixel of the output at a time."""
        indices = np.full(self.out, 0, dtype=np.int64)
        indices[self.top : self.out[0] - self.bottom, self.left : self.out[1] - self.right] = 1
        taken = cumulative(indices) * self.channels
        words = self.channels // folding.SIMD
        return Schedule(
            np.full(taken.size, words, dtype=np.int64),
            1,
            (Intake(taken, taken),),
            (np.arange(1, taken.size + 1) * self.channels,),
        )

    def resources(self, folding: Folding) -> Resources:
        return border_resources(
            folding.SIMD * self.datatype.bitwidth(), *self.out, self.channels // folding.SIMD
        )

    def reference(self, b: Builder, inputs: Sequence[ir.Value]) -> list[ir.Value]:
        pads = [0, self.top, self.left, 0, 0, self.bottom, self.right, 0]
        value = b.constant(float(self.value))
        return [b.op("Pad", inputs[0], b.constant(pads, np.int64), value)]


def border_resources(width: int, rows: int, columns: int, words: int) -> Resources:
    """Estimate of `border.sv.j2`: three counters, a multiplexer, a register slice."""
    luts = cost.counter(rows) + cost.counter(columns) + cost.counter(words)
    luts += 0.6 * (cost.bits_for(rows) + cost.bits_for(columns)) + 4 + width
    ffs = cost.bits_for(rows) + cost.bits_for(columns) + cost.bits_for(words)
    return Resources(LUT=luts, FF=ffs + 2 * width + 2)
