# SPDX-License-Identifier: Apache-2.0
"""StreamingSplit: groups of channels as streams of their own."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
import onnx_ir as ir
from qonnx.core.datatype import BaseDataType

from qnnc.compiler.dataflow import attributes, cost
from qnnc.compiler.dataflow.base import (
    DataflowNode,
    NewNode,
    Ports,
    Range,
    Stream,
    divisors,
)
from qnnc.compiler.dataflow.channels import ChannelLink, Kept
from qnnc.compiler.dataflow.folding import SIMDFolding
from qnnc.compiler.dataflow.schedule import Schedule, in_turn
from qnnc.compiler.ir.builder import Builder
from qnnc.compiler.ir.edit import Editor
from qnnc.compiler.resources import Resources


class StreamingSplit(DataflowNode[SIMDFolding]):
    """Input [..., C1 + C2 + …]; outputs [..., C1], [..., C2], …. SIMD divides every Ci. What an
    output that nothing uses would carry is dropped."""

    op_type = "StreamingSplit"
    kind = "plumbing"
    folding_type = SIMDFolding
    output_types = ()
    keeps_coding = True

    channels: tuple[int, ...] = attributes.integers("ChannelsPerStream")
    x_type: BaseDataType = attributes.integer_type("inputDataType")

    @classmethod
    def create(
        cls,
        *,
        channels: Sequence[int],
        x: BaseDataType,
        vectors: Sequence[int] = (1,),
    ) -> NewNode:
        """One stream for so many channels each."""
        return cls.new(
            SIMD=1,
            ChannelsPerStream=list(channels),
            inputDataType=x.name,
            numInputVectors=list(vectors),
        )

    def channel_links(self) -> list[ChannelLink]:
        firsts = np.cumsum([0, *self.channels])
        sizes = enumerate(self.channels)
        return [ChannelLink(0, i, np.arange(n) + firsts[i], np.arange(n)) for i, n in sizes]

    def keep_channels(self, editor: Editor, inputs: Kept, outputs: Kept) -> None:
        self.channels = tuple(len(kept) for kept in outputs)

    def foldings(self) -> Iterable[SIMDFolding]:
        return (SIMDFolding(SIMD=simd) for simd in divisors(math.gcd(*self.channels)))

    def output_ranges(self, inputs: Sequence[Range]) -> list[Range]:
        x = inputs[0].along(sum(self.channels))
        ends = np.cumsum(self.channels)[:-1]
        lows, highs = np.split(x.low, ends), np.split(x.high, ends)
        return [Range.of(low, high) for low, high in zip(lows, highs, strict=True)]

    def ports(self, folding: SIMDFolding) -> Ports:
        whole = Stream((*self.vectors_shape, sum(self.channels)), self.x_type, folding.SIMD)
        return Ports(
            (whole,),
            tuple(
                Stream((*self.vectors_shape, c), self.x_type, folding.SIMD) for c in self.channels
            ),
        )

    def cycles(self, folding: SIMDFolding) -> int:
        return self.ports(folding).inputs[0].words

    def latency(self, folding: SIMDFolding) -> int:
        return 1

    def schedule(self, folding: SIMDFolding) -> Schedule:
        vectors = math.prod(self.vectors_shape)
        return in_turn(vectors, self.channels, folding.SIMD, self.latency(folding), joined=False)

    def resources(self, folding: SIMDFolding) -> Resources:
        width, count = folding.SIMD * self.x_type.bitwidth(), len(self.channels)
        longest = max(self.channels) // folding.SIMD
        luts = cost.counter(longest) + cost.counter(count) + 2 * count + 4 + count * (width + 3)
        return Resources(LUT=luts, FF=count * (2 * width + 2) + cost.bits_for(longest) + count)

    def reference(self, b: Builder, inputs: Sequence[ir.Value]) -> list[ir.Value]:
        sizes = b.constant(self.channels, np.int64)
        return b.ops("Split", len(self.channels), inputs[0], sizes, axis=-1)
