# SPDX-License-Identifier: Apache-2.0
"""StreamingDataWidthConverter: the same elements in words of another size."""

from __future__ import annotations

import math
from collections.abc import Sequence

import onnx_ir as ir

from qnnc.compiler.dataflow import cost
from qnnc.compiler.dataflow.base import DataflowNode, Folding, Ports, Stream
from qnnc.compiler.ir.builder import Builder
from qnnc.compiler.resources import Resources


class StreamingDataWidthConverter(DataflowNode):
    """Input x; output x. inWidth and outWidth are bits a word, both whole elements.

    Where neither width divides the other, words are taken apart to the greatest common divisor
    and put together again.
    """

    op_type = "StreamingDataWidthConverter"
    input_types = ("dataType",)
    output_types = ()
    keeps_coding = True

    def __init__(self, node: ir.Node) -> None:
        super().__init__(node)
        self.datatype = self.type_attr("dataType")
        element = int(self.datatype.bitwidth())
        self.shape = tuple(int(d) for d in self.attr("shape"))
        self.lanes_in = int(self.attr("inWidth")) // element
        self.lanes_out = int(self.attr("outWidth")) // element

    @property
    def lanes_between(self) -> int:
        """Elements of the words between the two steps."""
        return math.gcd(self.lanes_in, self.lanes_out)

    def ports(self, folding: Folding) -> Ports:
        return Ports(
            (Stream(self.shape, self.datatype, self.lanes_in),),
            (Stream(self.shape, self.datatype, self.lanes_out),),
        )

    def cycles(self, folding: Folding) -> int:
        return converter_cycles(math.prod(self.shape), self.lanes_in, self.lanes_out)

    def latency(self, folding: Folding) -> int:
        return 3 + self.lanes_out // self.lanes_between

    def resources(self, folding: Folding) -> Resources:
        return converter_resources(self.datatype.bitwidth(), self.lanes_in, self.lanes_out)

    def reference(self, b: Builder, inputs: Sequence[ir.Value]) -> list[ir.Value]:
        return [b.op("Identity", inputs[0])]


def converter_cycles(elements: int, lanes_in: int, lanes_out: int) -> int:
    """Cycles a frame: one for every word of the narrowest stream inside."""
    return elements // math.gcd(lanes_in, lanes_out)


def converter_resources(element_bits: int, lanes_in: int, lanes_out: int) -> Resources:
    """Estimate of a converter (`qnnc_dwc_down`, `qnnc_dwc_up`); nothing where widths agree."""
    between = math.gcd(lanes_in, lanes_out)
    width = between * element_bits
    luts, ffs = 0.0, 0
    parts = lanes_in // between
    if parts > 1:
        if parts <= 4:
            luts += width * math.ceil((parts - 1) / 3) + cost.counter(parts) + 6
        else:
            luts += width * math.ceil((parts - 1) / 5) + parts + 6
            ffs += parts * (width + 1)
        ffs += (2 * parts + 1) * width + 6
    parts = lanes_out // between
    if parts > 1:
        luts += cost.counter(parts) + 5
        ffs += (2 * parts - 1) * width + 6
    return Resources(LUT=luts, FF=ffs)
