# SPDX-License-Identifier: Apache-2.0
"""FMPadding_Pixel: zeros between the pixels of an image, for transposed convolutions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import onnx_ir as ir

from qnnc.compiler.dataflow.base import DataflowNode, Folding, Ports, Range, Stream, divisors
from qnnc.compiler.dataflow.fm_padding import border_resources
from qnnc.compiler.dataflow.pixels import gather_pixels
from qnnc.compiler.dataflow.schedule import Intake, Schedule, cumulative
from qnnc.compiler.ir.builder import Builder
from qnnc.compiler.resources import Resources


class FMPadding_Pixel(DataflowNode):  # noqa: N801 - FINN's name
    """Input x [1, H, W, C]; output [1, (H - 1) * s + 1, (W - 1) * t + 1, C], Stride being
    [s, t]."""

    op_type = "FMPadding_Pixel"
    folding_attributes = ("SIMD",)
    output_types = ()
    keeps_coding = True

    def __init__(self, node: ir.Node) -> None:
        super().__init__(node)
        self.image = self.pair("ImgDim")
        self.stride = self.pair("Stride")
        self.channels = int(self.attr("NumChannels"))
        self.datatype = self.type_attr("inputDataType")

    @property
    def out(self) -> tuple[int, int]:
        """Rows and columns of the output."""
        (height, width), (down, across) = self.image, self.stride
        return (height - 1) * down + 1, (width - 1) * across + 1

    def foldings(self) -> Iterable[Folding]:
        return (Folding(SIMD=simd) for simd in divisors(self.channels))

    def output_ranges(self, inputs: Sequence[Range]) -> list[Range]:
        return [inputs[0].including(0)]

    def ports(self, folding: Folding) -> Ports:
        return Ports(
            (Stream((1, *self.image, self.channels), self.datatype, folding.SIMD),),
            (Stream((1, *self.out, self.channels), self.datatype, folding.SIMD),),
        )

    def cycles(self, folding: Folding) -> int:
        return self.out[0] * self.out[1] * (self.channels // folding.SIMD)

    def latency(self, folding: Folding) -> int:
        return 1

    def schedule(self, folding: Folding) -> Schedule:
        """A pixel of the output at a time."""
        indices = np.full(self.out, 0, dtype=np.int64)
        indices[:: self.stride[0], :: self.stride[1]] = 1
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
        indices = np.full(self.out, -1, dtype=np.int64)
        indices[:: self.stride[0], :: self.stride[1]] = np.arange(
            self.image[0] * self.image[1]
        ).reshape(self.image)
        shape = (1, *self.out, self.channels)
        return [gather_pixels(b, inputs[0], indices, shape, self.channels)]
