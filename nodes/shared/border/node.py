# SPDX-License-Identifier: Apache-2.0
"""Images with constant pixels around or between their own."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from qonnx.core.datatype import BaseDataType

from qnnc.compiler.dataflow import attributes, cost
from qnnc.compiler.dataflow.base import DataflowNode, Ports, Range, Stream, divisors
from qnnc.compiler.dataflow.channels import ChannelLink, Kept, all_channels
from qnnc.compiler.dataflow.folding import SIMDFolding
from qnnc.compiler.dataflow.schedule import Intake, Schedule, cumulative
from qnnc.compiler.ir.edit import Editor
from qnnc.compiler.resources import Resources


class Border(DataflowNode[SIMDFolding]):
    """Input x [1, H, W, C]; output [1, *out, C]. It gives a pixel at a time, SIMD channels per
    cycle, and takes one in for those that are not constants (`border.sv.j2`).
    """

    folding_type = SIMDFolding
    input_types = ("datatype",)
    output_types = ()
    keeps_coding = True

    image: tuple[int, int] = attributes.pair("ImgDim")
    """Rows and columns of the input."""
    channels: int = attributes.integer("NumChannels")
    datatype: BaseDataType = attributes.integer_type("inputDataType")
    value: int
    """Of the pixels that are inserted."""
    apart: tuple[int, int]
    """Rows and columns of the output from one pixel of the input to the next."""

    @property
    @abstractmethod
    def out(self) -> tuple[int, int]:
        """Rows and columns of the output."""

    @property
    @abstractmethod
    def first(self) -> tuple[int, int]:
        """Row and column of the output where the first pixel of the input goes."""

    @property
    @abstractmethod
    def end(self) -> tuple[int, int]:
        """Row and column of the output from which on there are no pixels of the input."""

    def taken(self) -> NDArray[np.bool_]:
        """[*out]: where pixels of the input go."""
        rows, columns = (
            slice(*axis) for axis in zip(self.first, self.end, self.apart, strict=True)
        )
        places = np.zeros(self.out, dtype=bool)
        places[rows, columns] = True
        return places

    def channel_links(self) -> list[ChannelLink]:
        return all_channels(self.channels)

    def keep_channels(self, editor: Editor, inputs: Kept, outputs: Kept) -> None:
        self.channels = len(inputs[0])

    def foldings(self) -> Iterable[SIMDFolding]:
        return (SIMDFolding(SIMD=simd) for simd in divisors(self.channels))

    def output_ranges(self, inputs: Sequence[Range]) -> list[Range]:
        return [inputs[0].including(self.value)]

    def ports(self, folding: SIMDFolding) -> Ports:
        return Ports(
            (Stream((1, *self.image, self.channels), self.datatype, folding.SIMD),),
            (Stream((1, *self.out, self.channels), self.datatype, folding.SIMD),),
        )

    def cycles(self, folding: SIMDFolding) -> int:
        return self.out[0] * self.out[1] * (self.channels // folding.SIMD)

    def schedule(self, folding: SIMDFolding) -> Schedule:
        """A pixel of the output at a time."""
        taken = cumulative(self.taken().astype(np.int64)) * self.channels
        words = self.channels // folding.SIMD
        return Schedule(
            np.full(taken.size, words, dtype=np.int64),
            1,
            (Intake(taken, taken),),
            (np.arange(1, taken.size + 1) * self.channels,),
        )

    def resources(self, folding: SIMDFolding) -> Resources:
        """Three counters, a multiplexer, a register slice."""
        width = folding.SIMD * self.datatype.bitwidth()
        counters = (*self.out, self.channels // folding.SIMD)
        luts = sum(cost.counter(n) for n in counters)
        luts += 0.6 * sum(cost.bits_for(n) for n in self.out) + 4 + width
        ffs = sum(cost.bits_for(n) for n in counters)
        return Resources(LUT=luts, FF=ffs + 2 * width + 2)
