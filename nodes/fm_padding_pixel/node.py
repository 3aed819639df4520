# SPDX-License-Identifier: Apache-2.0
"""FMPadding_Pixel: zeros between the pixels of an image, for transposed convolutions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir
from qonnx.core.datatype import BaseDataType

from qnnc.compiler.dataflow import attributes
from qnnc.compiler.dataflow.base import NewNode
from qnnc.compiler.dataflow.folding import SIMDFolding
from qnnc.compiler.dataflow.pixels import gather_pixels
from qnnc.compiler.ir.builder import Builder
from qnnc.nodes.shared.border.node import Border


class FMPadding_Pixel(Border):  # noqa: N801 - FINN's name
    """Input x [1, H, W, C]; output [1, (H - 1) * s + 1, (W - 1) * t + 1, C], Stride being
    [s, t]."""

    op_type = "FMPadding_Pixel"
    short_name = "padding_pixel"
    kind = "image"
    value = 0

    apart: tuple[int, int] = attributes.pair("Stride")

    @classmethod
    def create(
        cls,
        *,
        channels: int,
        image: tuple[int, int],
        stride: tuple[int, int],
        x: BaseDataType,
    ) -> NewNode:
        """Pixels `stride` apart, zeros between them."""
        return cls.new(
            ImgDim=list(image),
            Stride=list(stride),
            NumChannels=channels,
            SIMD=1,
            inputDataType=x.name,
        )

    @property
    def out(self) -> tuple[int, int]:
        (height, width), (down, across) = self.image, self.apart
        return (height - 1) * down + 1, (width - 1) * across + 1

    @property
    def first(self) -> tuple[int, int]:
        return 0, 0

    @property
    def end(self) -> tuple[int, int]:
        return self.out

    def latency(self, folding: SIMDFolding) -> int:
        return 1

    def reference(self, b: Builder, inputs: Sequence[ir.Value]) -> list[ir.Value]:
        places = self.taken()
        indices = np.full(self.out, -1, dtype=np.int64)
        indices[places] = np.arange(places.sum())
        shape = (1, *self.out, self.channels)
        return [gather_pixels(b, inputs[0], indices, shape, self.channels)]
