# SPDX-License-Identifier: Apache-2.0
"""Pool: the maximum or the sum of each window, channel by channel."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
import onnx_ir as ir
from qonnx.core.datatype import BaseDataType

from qnnc.compiler.dataflow import attributes, cost
from qnnc.compiler.dataflow.base import NewNode, Range, Role
from qnnc.compiler.dataflow.folding import PEFolding
from qnnc.compiler.ir.builder import Builder
from qnnc.compiler.resources import Resources
from qnnc.nodes.shared.channel_fold.node import ChannelFold


class Pool(ChannelFold[PEFolding]):
    """Input x [1, OH, OW, KH * KW * C] from a ConvolutionInputGenerator; output [1, OH, OW, C].

    Function is MaxPool or AccPool, the sum.
    """

    op_type = "Pool"
    role = Role.POOL
    kind = "image"
    folding_type = PEFolding

    function: str = attributes.text("Function")
    channels: int = attributes.integer("Channels")
    kernel: tuple[int, ...] = attributes.integers("KernelSize")
    out: tuple[int, ...] = attributes.integers("OutImgDims")
    x_type: BaseDataType = attributes.integer_type("InputDataType")
    out_type: BaseDataType = attributes.integer_type("OutputDataType")

    @classmethod
    def create(
        cls,
        *,
        function: Literal["MaxPool", "AccPool"],
        channels: int,
        kernel: tuple[int, int],
        out_image: tuple[int, int],
        x: BaseDataType,
        out: BaseDataType,
    ) -> NewNode:
        """The maximum or the sum of each channel of every window."""
        return cls.new(
            Channels=channels,
            PE=1,
            KernelSize=list(kernel),
            Function=function,
            OutImgDims=list(out_image),
            InputDataType=x.name,
            OutputDataType=out.name,
        )

    def __init__(self, node: ir.Node) -> None:
        super().__init__(node)
        self.window = math.prod(self.kernel)
        self.maximum = self.function == "MaxPool"

    @property
    def x_shape(self) -> tuple[int, ...]:
        return (1, *self.out, self.window * self.channels)

    @property
    def out_shape(self) -> tuple[int, ...]:
        return (1, *self.out, self.channels)

    def output_ranges(self, inputs: Sequence[Range]) -> list[Range]:
        x = inputs[0].along(self.window * self.channels)
        low, high = (a.reshape(self.window, self.channels) for a in (x.low, x.high))
        if self.maximum:
            return [Range.of(low.max(axis=0), high.max(axis=0))]
        return [Range.of(low.sum(axis=0), high.sum(axis=0))]

    def lane_resources(self, folding: PEFolding) -> Resources:
        bits = self.out_type.bitwidth()
        if self.maximum:
            return Resources(LUT=cost.comparator(bits) + bits if bits > 1 else 1)
        return Resources(LUT=bits + 1)

    def reference(self, b: Builder, inputs: Sequence[ir.Value]) -> list[ir.Value]:
        shape = [0, *self.out, self.window, self.channels]
        apart = b.op("Reshape", inputs[0], b.constant(shape, np.int64))
        axes = b.constant([3], np.int64)
        reduce = "ReduceMax" if self.maximum else "ReduceSum"
        return [b.op(reduce, apart, axes, keepdims=0)]
