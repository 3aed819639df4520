# SPDX-License-Identifier: Apache-2.0
"""StreamingConcat: channels of several streams side by side."""

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
    Role,
    Stream,
    divisors,
)
from qnnc.compiler.dataflow.channels import ChannelLink, Kept
from qnnc.compiler.dataflow.folding import SIMDFolding
from qnnc.compiler.dataflow.schedule import Schedule, in_turn
from qnnc.compiler.datatypes import carrier
from qnnc.compiler.ir.builder import Builder
from qnnc.compiler.ir.edit import Editor
from qnnc.compiler.resources import Resources


class StreamingConcat(DataflowNode[SIMDFolding]):
    """Inputs [..., C1], [..., C2], …; output [..., C1 + C2 + …]. SIMD divides every Ci."""

    op_type = "StreamingConcat"
    role = Role.JOIN
    kind = "plumbing"
    folding_type = SIMDFolding

    channels: tuple[int, ...] = attributes.integers("ChannelsPerStream")
    types: tuple[BaseDataType, ...] = attributes.integer_types("inputDataTypes")
    out_type: BaseDataType = attributes.integer_type("outputDataType")

    @classmethod
    def create(
        cls,
        *,
        channels: Sequence[int],
        x: Sequence[BaseDataType],
        out: BaseDataType,
        vectors: Sequence[int] = (1,),
    ) -> NewNode:
        """Streams of so many channels side by side."""
        return cls.new(
            SIMD=1,
            ChannelsPerStream=list(channels),
            inputDataTypes=[kind.name for kind in x],
            outputDataType=out.name,
            numInputVectors=list(vectors),
        )

    def channel_links(self) -> list[ChannelLink]:
        firsts = np.cumsum([0, *self.channels])
        sizes = enumerate(self.channels)
        return [ChannelLink(i, 0, np.arange(n), np.arange(n) + firsts[i]) for i, n in sizes]

    def keep_channels(self, editor: Editor, inputs: Kept, outputs: Kept) -> None:
        self.channels = tuple(len(kept) for kept in inputs)

    def foldings(self) -> Iterable[SIMDFolding]:
        return (SIMDFolding(SIMD=simd) for simd in divisors(math.gcd(*self.channels)))

    def output_ranges(self, inputs: Sequence[Range]) -> list[Range]:
        parts = [r.along(c) for r, c in zip(inputs, self.channels, strict=True)]
        return [
            Range.of(
                np.concatenate([p.low for p in parts]), np.concatenate([p.high for p in parts])
            )
        ]

    def set_types(self, inputs: Sequence[BaseDataType], outputs: Sequence[BaseDataType]) -> None:
        self.types, self.out_type = tuple(inputs), outputs[0]

    def ports(self, folding: SIMDFolding) -> Ports:
        return Ports(
            tuple(
                Stream((*self.vectors_shape, c), kind, folding.SIMD)
                for c, kind in zip(self.channels, self.types, strict=True)
            ),
            (Stream((*self.vectors_shape, sum(self.channels)), self.out_type, folding.SIMD),),
        )

    def cycles(self, folding: SIMDFolding) -> int:
        return self.ports(folding).outputs[0].words

    def latency(self, folding: SIMDFolding) -> int:
        return 1

    def schedule(self, folding: SIMDFolding) -> Schedule:
        vectors = math.prod(self.vectors_shape)
        return in_turn(vectors, self.channels, folding.SIMD, self.latency(folding), joined=True)

    def resources(self, folding: SIMDFolding) -> Resources:
        width, count = folding.SIMD * self.out_type.bitwidth(), len(self.channels)
        longest = max(self.channels) // folding.SIMD
        luts = cost.counter(longest) + cost.counter(count) + 2 * count + 4
        # two streams fit into the slice's own LUTs; beyond, a LUT takes three of them
        luts += width * (1 + (math.ceil((count - 1) / 3) if count > 2 else 0))
        return Resources(LUT=luts, FF=2 * width + cost.bits_for(longest) + count + 2)

    def reference(self, b: Builder, inputs: Sequence[ir.Value]) -> list[ir.Value]:
        wide = carrier(self.out_type) == np.float64
        # parts that float32 carries lie beside one that it does not
        parts = [b.op("Cast", x, to=ir.DataType.DOUBLE) if wide else x for x in inputs]
        return [b.op("Concat", *parts, axis=-1)]
