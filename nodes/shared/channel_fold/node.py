# SPDX-License-Identifier: Apache-2.0
"""What Pool, GlobalAccPool and VVAU share: vectors of all channels, folded channel by channel."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterable

import numpy as np
from qonnx.core.datatype import BaseDataType
from typing_extensions import TypeVar

from qnnc.compiler.dataflow import cost
from qnnc.compiler.dataflow.base import DataflowNode, Ports, Stream, divisors
from qnnc.compiler.dataflow.channels import ChannelLink, Kept
from qnnc.compiler.dataflow.folding import PEFolding
from qnnc.compiler.dataflow.schedule import Intake, Schedule
from qnnc.compiler.ir.edit import Editor
from qnnc.compiler.resources import Resources

F = TypeVar("F", bound=PEFolding, default=PEFolding)


class ChannelFold(DataflowNode[F]):
    """Takes `window` vectors of `channels` elements for each result of `channels` elements.

    A result of each channel is kept in a small memory while the vectors pass (`qnnc_ring`), PE
    channels at a time.
    """

    channels: int
    window: int
    x_type: BaseDataType
    out_type: BaseDataType
    maximum: bool = False
    """The result is the greatest term of a window, not their sum."""

    @property
    @abstractmethod
    def x_shape(self) -> tuple[int, ...]:
        """Shape of the input."""

    @property
    @abstractmethod
    def out_shape(self) -> tuple[int, ...]:
        """Shape of the output."""

    def foldings(self) -> Iterable[F]:
        return (self.folding_type(PE=pe) for pe in divisors(self.channels))

    def channel_links(self) -> list[ChannelLink]:
        taken = np.arange(self.x_shape[-1])
        return [ChannelLink(0, 0, taken, taken % self.channels)]

    def keep_channels(self, editor: Editor, inputs: Kept, outputs: Kept) -> None:
        self.channels = len(outputs[0])

    def groups(self, folding: F) -> int:
        """Words of a vector."""
        return self.channels // folding.PE

    def ports(self, folding: F) -> Ports:
        return Ports(
            (Stream(self.x_shape, self.x_type, folding.PE),),
            (Stream(self.out_shape, self.out_type, folding.PE),),
        )

    def cycles(self, folding: F) -> int:
        return self.ports(folding).inputs[0].words

    def latency(self, folding: F) -> int:
        return (self.window - 1) * self.groups(folding) + self.pipeline + 4

    pipeline = 1
    """Cycles from an element to its place in the ring."""

    def schedule(self, folding: F) -> Schedule:
        """A vector of all channels at a time; results come with the last of a window."""
        results = math.prod(self.out_shape) // self.channels
        vectors = results * self.window
        taken = np.arange(1, vectors + 1) * self.channels
        given = np.arange(1, vectors + 1) // self.window * self.channels
        return Schedule(
            np.full(vectors, self.groups(folding), dtype=np.int64),
            self.pipeline + 3,
            (Intake(taken, taken),),
            (given,),
        )

    @abstractmethod
    def lane_resources(self, folding: F) -> Resources:
        """Cost of the arithmetic of one lane, ring not included."""

    def resources(self, folding: F) -> Resources:
        out_bits, groups = self.out_type.bitwidth(), self.groups(folding)
        control = cost.counter(self.window) + 2 * cost.counter(groups) + 20  # the ring counts too
        ring = cost.lut_ram(out_bits * folding.PE, groups) if groups > 1 else 0
        shared = Resources(
            LUT=control + ring + folding.PE * out_bits, FF=2 * folding.PE * out_bits + 24
        )
        return shared + self.lane_resources(folding).scaled(folding.PE)
