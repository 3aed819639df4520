# SPDX-License-Identifier: Apache-2.0
"""DuplicateStreams: a stream for each of several consumers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import onnx_ir as ir
from qonnx.core.datatype import BaseDataType

from qnnc.compiler.dataflow import attributes
from qnnc.compiler.dataflow.base import NewNode, Ports, Range, Stream, divisors
from qnnc.compiler.dataflow.channels import ChannelLink, Kept, all_channels
from qnnc.compiler.dataflow.folding import PEFolding
from qnnc.compiler.dataflow.plumbing import Copier
from qnnc.compiler.ir.builder import Builder
from qnnc.compiler.ir.edit import Editor
from qnnc.compiler.resources import Resources


class DuplicateStreams(Copier):
    """Input x [..., C]; NumOutputStreams outputs, all equal to it."""

    op_type = "DuplicateStreams"
    short_name = "duplicate"
    kind = "plumbing"
    folding_type = PEFolding
    output_types = ()
    keeps_coding = True

    channels: int = attributes.integer("NumChannels")
    copies: int = attributes.integer("NumOutputStreams")
    x_type: BaseDataType = attributes.integer_type("inputDataType")

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
        self.shape = (*self.vectors_shape, self.channels)

    def channel_links(self) -> list[ChannelLink]:
        return all_channels(self.channels, outputs=self.copies)

    def keep_channels(self, editor: Editor, inputs: Kept, outputs: Kept) -> None:
        self.channels = len(inputs[0])

    def foldings(self) -> Iterable[PEFolding]:
        return (PEFolding(PE=pe) for pe in divisors(self.shape[-1]))

    def output_ranges(self, inputs: Sequence[Range]) -> list[Range]:
        return [inputs[0]] * self.copies

    def ports(self, folding: PEFolding) -> Ports:
        stream = Stream(self.shape, self.x_type, folding.PE)
        return Ports((stream,), (stream,) * self.copies)

    def cycles(self, folding: PEFolding) -> int:
        return self.ports(folding).inputs[0].words

    def latency(self, folding: PEFolding) -> int:
        return 1

    def resources(self, folding: PEFolding) -> Resources:
        width = folding.PE * self.x_type.bitwidth()
        return Resources(LUT=self.copies * (width + 3) + 1, FF=self.copies * (2 * width + 2))

    def reference(self, b: Builder, inputs: Sequence[ir.Value]) -> list[ir.Value]:
        return [b.op("Identity", inputs[0]) for _ in range(self.copies)]
