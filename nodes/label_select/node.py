# SPDX-License-Identifier: Apache-2.0
"""LabelSelect: the indices of the K largest scores."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

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
from qnnc.compiler.dataflow.folding import PEFolding
from qnnc.compiler.datatypes import datatype, smallest_type
from qnnc.compiler.ir.builder import Builder, top_k
from qnnc.compiler.resources import Resources


class LabelSelect(DataflowNode[PEFolding]):
    """Input x [..., Labels]; output [..., K], largest first, the lower index among equals.

    With K = 1, PE scores may come per cycle.
    """

    op_type = "LabelSelect"
    role = Role.LABELS
    folding_type = PEFolding

    labels: int = attributes.integer("Labels")
    k: int = attributes.integer("K")
    x_type: BaseDataType = attributes.integer_type("inputDataType")
    out_type: BaseDataType = attributes.integer_type("outputDataType")

    @classmethod
    def create(
        cls,
        *,
        labels: int,
        k: int,
        x: BaseDataType,
        vectors: Sequence[int] = (1,),
    ) -> NewNode:
        """The indices of the k greatest scores."""
        return cls.new(
            Labels=labels,
            PE=1,
            K=k,
            inputDataType=x.name,
            outputDataType=label_type(labels),
            numInputVectors=list(vectors),
        )

    def output_ranges(self, inputs: Sequence[Range]) -> list[Range]:
        return [Range.of(0, self.labels - 1)]

    def set_types(self, inputs: Sequence[BaseDataType], outputs: Sequence[BaseDataType]) -> None:
        super().set_types(inputs, [datatype(label_type(self.labels))])

    def foldings(self) -> Iterable[PEFolding]:
        return (PEFolding(PE=pe) for pe in (divisors(self.labels) if self.k == 1 else [1]))

    def ports(self, folding: PEFolding) -> Ports:
        vectors = self.vectors_shape
        return Ports(
            (Stream((*vectors, self.labels), self.x_type, folding.PE),),
            (Stream((*vectors, self.k), self.out_type, 1),),
        )

    def cycles(self, folding: PEFolding) -> int:
        giving = 1 if folding.PE > 1 else self.k + 1  # as the next frame comes, but for a cycle
        return max(self.labels // folding.PE, giving) * self.vectors

    def latency(self, folding: PEFolding) -> int:
        return self.labels // folding.PE + 2 + (folding.PE - 1).bit_length()

    def resources(self, folding: PEFolding) -> Resources:
        if folding.PE > 1:
            return self._tree(folding.PE)
        bits, index = self.x_type.bitwidth(), cost.bits_for(self.labels)
        ranks = self.k * (cost.comparator(bits) + 2)
        if self.k > 1:
            ranks += (self.k - 1) * (bits + index) + self.k * index
        return Resources(
            LUT=ranks + cost.counter(self.labels) + 10,
            FF=(self.k + 1) * bits + (2 * self.k + 1) * index + 2 * self.k + 2,
        )

    def _tree(self, pe: int) -> Resources:
        """Of `qnnc_label_tree`: a comparator and a multiplexer for each pair of scores; an index
        has a bit more with every level."""
        bits, index = self.x_type.bitwidth(), cost.bits_for(self.labels)
        levels = (pe - 1).bit_length()
        luts, ffs, before = 10.0, 2.0 * index + levels + 5, pe
        for level in range(levels):
            pairs, after = before // 2, -(-before // 2)
            luts += pairs * (cost.comparator(bits) + bits + level)
            ffs += after * (bits + level + 1)
            before = after
        if pe < self.labels:
            luts += cost.comparator(bits) + 3 * index + 3
            ffs += bits + 2 * index
        return Resources(LUT=luts, FF=ffs)

    def reference(self, b: Builder, inputs: Sequence[ir.Value]) -> list[ir.Value]:
        return [top_k(b, inputs[0], self.k)]


def label_type(labels: int) -> str:
    """FINN's type of indices: the smallest unsigned one, rounded up to whole bytes."""
    bits = smallest_type(0, max(1, labels - 1)).bitwidth()
    return f"UINT{8 * math.ceil(bits / 8)}"
