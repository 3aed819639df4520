# SPDX-License-Identifier: Apache-2.0
"""DuplicateStreams: a stream for each of several consumers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import onnx_ir as ir
from qonnx.core.datatype import BaseDataType

from qnnc.compiler.dataflow.base import (
    Folding,
    NewNode,
    Ports,
    Range,
    Stream,
    divisors,
)
from qnnc.compiler.dataflow.channels import ChannelLink, all_channels
from qnnc.compiler.dataflow.plumbing import Copier
from qnnc.compiler.ir.builder import Builder
from qnnc.compiler.resources import Resources


class DuplicateStreams(Copier):
    """Input x [..., C]; NumOutputStreams outputs, all equal to it."""

    op_type = "DuplicateStreams"
    short_name = "duplicate"
    kind = "plumbing"
    folding_attributes = ("PE",)
    channel_attributes = ("NumChannels",)
    output_types = ()
    keeps_coding = True

    @classmethod
    def create(
        cls,
        *,
        shape: Sequence[int],
        x: BaseDataType,
        copies: int,
    ) -> NewNode:
        """Several streams that are the same."""
        return cls.new(
            NumChannels=int(shape[-1]),
            PE=1,
            NumOutputStreams=copies,
            inputDataType=x.name,
            numInputVectors=[int(d) for d in shape[:-1]],
        )

    def __init__(self, node: ir.Node) -> None:
        super().__init__(node)
        self.datatype = self.type_attr("inputDataType")
        self.shape = (*self.attr("numInputVectors", [1]), int(self.attr("NumChannels")))
        self.copies = int(self.attr("NumOutputStreams"))

    def channel_links(self) -> list[ChannelLink]:
        return all_channels(int(self.attr("NumChannels")), outputs=len(self.node.outputs))

    def foldings(self) -> Iterable[Folding]:
        return (Folding(PE=pe) for pe in divisors(self.shape[-1]))

    def output_ranges(self, inputs: Sequence[Range]) -> list[Range]:
        return [inputs[0]] * self.copies

    def ports(self, folding: Folding) -> Ports:
        stream = Stream(self.shape, self.datatype, folding.PE)
        return Ports((stream,), (stream,) * self.copies)

    def cycles(self, folding: Folding) -> int:
        return self.ports(folding).inputs[0].words

    def latency(self, folding: Folding) -> int:
        return 1

    def resources(self, folding: Folding) -> Resources:
        width = folding.PE * self.datatype.bitwidth()
        return Resources(LUT=self.copies * (width + 3) + 1, FF=self.copies * (2 * width + 2))

    def reference(self, b: Builder, inputs: Sequence[ir.Value]) -> list[ir.Value]:
        return [b.op("Identity", inputs[0]) for _ in range(self.copies)]
