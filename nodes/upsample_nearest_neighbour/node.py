# SPDX-License-Identifier: Apache-2.0
"""UpsampleNearestNeighbour: every pixel several times across and down."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir
from qonnx.core.datatype import BaseDataType

from qnnc.compiler.dataflow import attributes
from qnnc.compiler.dataflow.base import NewNode, Ports, Range, Stream
from qnnc.compiler.dataflow.channels import ChannelLink, Kept, all_channels
from qnnc.compiler.dataflow.loops import Loop
from qnnc.compiler.dataflow.pixels import gather_pixels
from qnnc.compiler.ir.builder import Builder
from qnnc.compiler.ir.edit import Editor
from qnnc.nodes.shared.reordering.node import Reordering, ReorderingFolding


class UpsampleNearestNeighbour(Reordering):
    """Input x [1, HI, WI, C]; output [1, HO, WO, C], HO and WO being multiples of HI and WI.

    A row of the image is a block; it is read once for every row that comes of it.
    """

    op_type = "UpsampleNearestNeighbour"
    short_name = "upsample"
    kind = "image"
    input_types = ("datatype",)

    channels: int = attributes.integer("NumChannels")
    datatype: BaseDataType = attributes.integer_type("inputDataType")
    in_height: int = attributes.integer("HI")
    in_width: int = attributes.integer("WI")
    out_height: int = attributes.integer("HO")
    out_width: int = attributes.integer("WO")

    @classmethod
    def create(
        cls,
        *,
        channels: int,
        image: tuple[int, int],
        out_image: tuple[int, int],
        x: BaseDataType,
    ) -> NewNode:
        """An image enlarged by whole factors."""
        return cls.new(
            HI=image[0],
            WI=image[1],
            HO=out_image[0],
            WO=out_image[1],
            NumChannels=channels,
            SIMD=1,
            inputDataType=x.name,
        )

    def __init__(self, node: ir.Node) -> None:
        super().__init__(node)
        self.image = self.in_height, self.in_width
        self.out = self.out_height, self.out_width

    def channel_links(self) -> list[ChannelLink]:
        return all_channels(self.channels)

    def keep_channels(self, editor: Editor, inputs: Kept, outputs: Kept) -> None:
        self.channels = len(inputs[0])

    @property
    def most_lanes(self) -> int:
        return self.channels

    def block_words(self, folding: ReorderingFolding) -> int:
        return self.image[1] * self.channels // folding.SIMD

    def loops(self, folding: ReorderingFolding) -> tuple[Loop, ...]:
        words = self.channels // folding.SIMD
        down, across = (o // i for o, i in zip(self.out, self.image, strict=True))
        loops = (Loop(words, 1), Loop(across, 0), Loop(self.image[1], words), Loop(down, 0))
        return tuple(loop for loop in loops if loop.count > 1) or (Loop(1, 0),)

    def output_ranges(self, inputs: Sequence[Range]) -> list[Range]:
        return [inputs[0]]

    def ports(self, folding: ReorderingFolding) -> Ports:
        return Ports(
            (Stream((1, *self.image, self.channels), self.datatype, folding.SIMD),),
            (Stream((1, *self.out, self.channels), self.datatype, folding.SIMD),),
        )

    def reference(self, b: Builder, inputs: Sequence[ir.Value]) -> list[ir.Value]:
        rows = np.arange(self.out[0]) // (self.out[0] // self.image[0])
        columns = np.arange(self.out[1]) // (self.out[1] // self.image[1])
        indices = rows[:, None] * self.image[1] + columns
        shape = (1, *self.out, self.channels)
        return [gather_pixels(b, inputs[0], indices, shape, self.channels)]
