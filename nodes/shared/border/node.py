# SPDX-License-Identifier: Apache-2.0
"""Images whose pixels come apart, with constant ones round or between them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from qnnc.compiler.dataflow import cost
from qnnc.compiler.dataflow.base import DataflowNode, Folding, Ports, Stream, divisors
from qnnc.compiler.dataflow.channels import ChannelLink, all_channels
from qnnc.compiler.dataflow.schedule import Intake, Schedule, cumulative
from qnnc.compiler.resources import Resources


class Border(DataflowNode):
    """Input x [1, H, W, C]; output [1, *out, C]. It gives a pixel at a time, SIMD channels a
    cycle, and takes one in for those that are not constants (`border.sv.j2`).

    Attributes:
        image: rows and columns of the input.
        channels: of both.
        datatype: of both.
    """

    folding_attributes = ("SIMD",)
    channel_attributes = ("NumChannels",)
    output_types = ()
    keeps_coding = True

    def __init__(self, node: ir.Node) -> None:
        super().__init__(node)
        self.image = self.pair("ImgDim")
        self.channels = int(self.attr("NumChannels"))
        self.datatype = self.type_attr("inputDataType")

    @property
    @abstractmethod
    def out(self) -> tuple[int, int]:
        """Rows and columns of the output."""

    @abstractmethod
    def taken(self) -> NDArray[np.bool_]:
        """[*out]: where pixels of the input go."""

    def channel_links(self) -> list[ChannelLink]:
        return all_channels(self.channels)

    def foldings(self) -> Iterable[Folding]:
        return (Folding(SIMD=simd) for simd in divisors(self.channels))

    def ports(self, folding: Folding) -> Ports:
        return Ports(
            (Stream((1, *self.image, self.channels), self.datatype, folding.SIMD),),
            (Stream((1, *self.out, self.channels), self.datatype, folding.SIMD),),
        )

    def cycles(self, folding: Folding) -> int:
        return self.out[0] * self.out[1] * (self.channels // folding.SIMD)

    def schedule(self, folding: Folding) -> Schedule:
        """A pixel of the output at a time."""
        taken = cumulative(self.taken().astype(np.int64)) * self.channels
        words = self.channels // folding.SIMD
        return Schedule(
            np.full(taken.size, words, dtype=np.int64),
            1,
            (Intake(taken, taken),),
            (np.arange(1, taken.size + 1) * self.channels,),
        )

    def resources(self, folding: Folding) -> Resources:
        """Three counters, a multiplexer, a register slice."""
        width = folding.SIMD * self.datatype.bitwidth()
        counters = (*self.out, self.channels // folding.SIMD)
        luts = sum(cost.counter(n) for n in counters)
        luts += 0.6 * sum(cost.bits_for(n) for n in self.out) + 4 + width
        ffs = sum(cost.bits_for(n) for n in counters)
        return Resources(LUT=luts, FF=ffs + 2 * width + 2)
