# SPDX-License-Identifier: Apache-2.0
"""GlobalAccPool: the sum of all pixels, channel by channel."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import onnx_ir as ir
from qonnx.core.datatype import BaseDataType

from qnnc.compiler.dataflow import attributes
from qnnc.compiler.dataflow.base import NewNode, Range, Role
from qnnc.compiler.dataflow.folding import PEFolding
from qnnc.compiler.ir.builder import Builder
from qnnc.compiler.resources import Resources
from qnnc.nodes.shared.channel_fold.node import ChannelFold


class GlobalAccPool(ChannelFold[PEFolding]):
    """Input x [1, H, W, C]; output [1, 1, 1, C]."""

    op_type = "GlobalAccPool"
    role = Role.POOL
    kind = "image"
    folding_type = PEFolding

    channels: int = attributes.integer("NumChannels")
    x_type: BaseDataType = attributes.integer_type("inputDataType")
    out_type: BaseDataType = attributes.integer_type("outputDataType")

    @classmethod
    def create(
        cls,
        *,
        channels: int,
        image: tuple[int, int],
        x: BaseDataType,
        out: BaseDataType,
    ) -> NewNode:
        """The sum of each channel of an image."""
        return cls.new(
            NumChannels=channels,
            PE=1,
            inputDataType=x.name,
            outputDataType=out.name,
            numInputVectors=[1, *image],
        )

    def __init__(self, node: ir.Node) -> None:
        super().__init__(node)
        self.image = self.vectors_shape[1:]
        self.window = math.prod(self.image)

    @property
    def x_shape(self) -> tuple[int, ...]:
        return (1, *self.image, self.channels)

    @property
    def out_shape(self) -> tuple[int, ...]:
        return (1, 1, 1, self.channels)

    def output_ranges(self, inputs: Sequence[Range]) -> list[Range]:
        x = inputs[0].along(self.channels)
        return [Range.of(x.low * self.window, x.high * self.window)]

    def lane_resources(self, folding: PEFolding) -> Resources:
        return Resources(LUT=self.out_type.bitwidth() + 1)

    def reference(self, b: Builder, inputs: Sequence[ir.Value]) -> list[ir.Value]:
        return [b.op("ReduceSum", inputs[0], b.constant([1, 2], np.int64), keepdims=1)]
