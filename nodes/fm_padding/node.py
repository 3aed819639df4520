# SPDX-License-Identifier: Apache-2.0
"""FMPadding: a border of constant pixels around an image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir
from qonnx.core.datatype import BaseDataType

from qnnc.compiler.dataflow import attributes
from qnnc.compiler.dataflow.base import NewNode
from qnnc.compiler.dataflow.folding import SIMDFolding
from qnnc.compiler.ir.builder import Builder
from qnnc.nodes.shared.border.node import Border


class FMPadding(Border):
    """Input x [1, H, W, C]; output [1, H + top + bottom, W + left + right, C].

    Padding is [top, left, bottom, right], PadValue (0 in FINN) the integer that fills it.
    """

    op_type = "FMPadding"
    short_name = "padding"
    kind = "image"
    apart = (1, 1)

    value: int = attributes.integer("PadValue", 0)
    border: tuple[int, ...] = attributes.integers("Padding")
    """Top, left, bottom, right."""

    @classmethod
    def create(
        cls,
        *,
        channels: int,
        image: tuple[int, int],
        border: Sequence[int],
        x: BaseDataType,
        value: int = 0,
    ) -> NewNode:
        """A border [top, left, bottom, right] of a constant."""
        return cls.new(
            ImgDim=list(image),
            Padding=list(border),
            PadValue=value,
            NumChannels=channels,
            SIMD=1,
            inputDataType=x.name,
        )

    def __init__(self, node: ir.Node) -> None:
        super().__init__(node)
        self.top, self.left, self.bottom, self.right = self.border

    @property
    def out(self) -> tuple[int, int]:
        height, width = self.image
        return height + self.top + self.bottom, width + self.left + self.right

    @property
    def first(self) -> tuple[int, int]:
        return self.top, self.left

    @property
    def end(self) -> tuple[int, int]:
        return self.out[0] - self.bottom, self.out[1] - self.right

    def latency(self, folding: SIMDFolding) -> int:
        return (self.top * self.out[1] + self.left) * (self.channels // folding.SIMD) + 1

    def reference(self, b: Builder, inputs: Sequence[ir.Value]) -> list[ir.Value]:
        pads = [0, self.top, self.left, 0, 0, self.bottom, self.right, 0]
        value = b.constant(float(self.value))
        return [b.op("Pad", inputs[0], b.constant(pads, np.int64), value)]
