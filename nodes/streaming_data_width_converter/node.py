# SPDX-License-Identifier: Apache-2.0
"""StreamingDataWidthConverter: the same elements in words of another size."""

from __future__ import annotations

import math
from collections.abc import Sequence

import onnx_ir as ir
from qonnx.core.datatype import BaseDataType

from qnnc.compiler.dataflow import attributes
from qnnc.compiler.dataflow.base import NewNode, Ports, Stream
from qnnc.compiler.dataflow.folding import Folding
from qnnc.compiler.dataflow.plumbing import WidthConverter
from qnnc.compiler.dataflow.width_conversion import converter_cycles, converter_resources
from qnnc.compiler.ir.builder import Builder
from qnnc.compiler.resources import Resources


class StreamingDataWidthConverter(WidthConverter):
    """Input x; output x. inWidth and outWidth are bits per word, both whole elements.

    Where neither width divides the other, words are taken apart to the greatest common divisor
    and put together again.
    """

    op_type = "StreamingDataWidthConverter"
    short_name = "dwc"
    kind = "plumbing"
    folding_type = Folding
    input_types = ("datatype",)
    output_types = ()
    keeps_coding = True

    datatype: BaseDataType = attributes.integer_type("dataType")
    shape: tuple[int, ...] = attributes.integers("shape")
    bits_in: int = attributes.integer("inWidth")
    bits_out: int = attributes.integer("outWidth")

    @classmethod
    def create(
        cls,
        *,
        shape: Sequence[int],
        x: BaseDataType,
        lanes_in: int,
        lanes_out: int,
    ) -> NewNode:
        """A stream in words of other lanes."""
        return cls.new(
            shape=[int(d) for d in shape],
            inWidth=lanes_in * x.bitwidth(),
            outWidth=lanes_out * x.bitwidth(),
            dataType=x.name,
        )

    def __init__(self, node: ir.Node) -> None:
        super().__init__(node)
        element = int(self.datatype.bitwidth())
        self.lanes_in, self.lanes_out = self.bits_in // element, self.bits_out // element

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
