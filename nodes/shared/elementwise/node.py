# SPDX-License-Identifier: Apache-2.0
"""What ElementwiseAdd and ElementwiseMul share: two streams, or a stream and a constant."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import ClassVar

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray
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
from qnnc.compiler.dataflow.channels import ChannelLink, Kept, all_channels
from qnnc.compiler.dataflow.folding import PEFolding
from qnnc.compiler.datatypes import carrier, smallest_type
from qnnc.compiler.ir.builder import Builder
from qnnc.compiler.ir.edit import Editor
from qnnc.compiler.ir.facts import IntArray, as_integers
from qnnc.compiler.resources import Resources


class Elementwise(DataflowNode[PEFolding]):
    """Inputs lhs [..., C] and rhs, a stream [..., C] or a constant [C] or [1]; output [..., C]."""

    folding_type = PEFolding
    input_types = ("x_type", "y_type")
    onnx_op: ClassVar[str]

    x_type: BaseDataType = attributes.integer_type("lhs_dtype")
    y_type: BaseDataType = attributes.integer_type("rhs_dtype")
    out_type: BaseDataType = attributes.integer_type("out_dtype")
    shape: tuple[int, ...] = attributes.integers("out_shape")
    rhs_style: str = attributes.text("rhs_style", "input")

    @classmethod
    def create(
        cls,
        *,
        shape: Sequence[int],
        x: BaseDataType,
        y: BaseDataType,
        out: BaseDataType,
        constant: int = 0,
    ) -> NewNode:
        """Of two streams of a shape, or of one and `constant` numbers: 1, or one per channel."""
        return cls.new(
            lhs_dtype=x.name,
            rhs_dtype=y.name,
            out_dtype=out.name,
            lhs_shape=list(shape),
            rhs_shape=[constant] if constant else list(shape),
            out_shape=list(shape),
            lhs_style="input",
            rhs_style="const" if constant else "input",
            PE=1,
        )

    @property
    def is_constant(self) -> bool:
        """The right operand is a constant."""
        return self.rhs_style == "const"

    def operand(self) -> NDArray[np.int64]:
        """The constant, one element or one per channel."""
        return as_integers(self.constant_input(1)).reshape(-1)

    def narrow(self, editor: Editor, inputs: Sequence[Range]) -> bool:
        if self.is_constant:
            operand = self.operand()
            self.y_type = smallest_type(int(operand.min()), int(operand.max()))
        return False

    def output_ranges(self, inputs: Sequence[Range]) -> list[Range]:
        other = Range.of(self.operand(), self.operand()) if self.is_constant else inputs[1]
        size = max(inputs[0].low.size, inputs[0].high.size, other.low.size, other.high.size)
        left, right = inputs[0].along(size), other.along(size)
        ends = np.stack(
            [self.apply_to(x, y) for x in (left.low, left.high) for y in (right.low, right.high)]
        )
        return [Range.of(ends.min(axis=0), ends.max(axis=0))]

    @abstractmethod
    def apply_to(self, x: IntArray, y: IntArray) -> IntArray:
        """The operation on integers, element by element; x and y broadcast."""

    def channel_links(self) -> list[ChannelLink]:
        return all_channels(self.shape[-1], inputs=len(self.stream_inputs))

    def keep_channels(self, editor: Editor, inputs: Kept, outputs: Kept) -> None:
        kept = outputs[0]
        self.shape = (*self.shape[:-1], len(kept))
        attributes.write(self.node, "lhs_shape", self.shape)
        if not self.is_constant:
            attributes.write(self.node, "rhs_shape", self.shape)
        elif self.operand().size > 1:
            self.replace_constant(editor, 1, self.constant_input(1).reshape(-1)[kept])
            attributes.write(self.node, "rhs_shape", [len(kept)])

    def foldings(self) -> Iterable[PEFolding]:
        return (PEFolding(PE=pe) for pe in divisors(self.shape[-1]))

    def folds(self, folding: PEFolding) -> int:
        """Rows of the constant's table."""
        return 1 if self.operand().size == 1 else self.shape[-1] // folding.PE

    def ports(self, folding: PEFolding) -> Ports:
        kinds: list[BaseDataType] = (
            [self.x_type] if self.is_constant else [self.x_type, self.y_type]
        )
        return Ports(
            tuple(Stream(self.shape, kind, folding.PE) for kind in kinds),
            (Stream(self.shape, self.out_type, folding.PE),),
        )

    def cycles(self, folding: PEFolding) -> int:
        return self.ports(folding).inputs[0].words

    def latency(self, folding: PEFolding) -> int:
        return 5

    @abstractmethod
    def lane_luts(self) -> float:
        """LUTs of the arithmetic of a lane."""

    def resources(self, folding: PEFolding) -> Resources:
        out_bits, x_bits = self.out_type.bitwidth(), self.x_type.bitwidth()
        if not self.is_constant:
            bits = x_bits + self.y_type.bitwidth()
            luts = folding.PE * (self.lane_luts() + bits) + 7
            return Resources(LUT=luts, FF=folding.PE * (2 * bits + out_bits) + 5)
        folds = self.folds(folding)
        table = cost.logic_rom(self.operand()[:: folding.PE], self.y_type.bitwidth())
        luts = folding.PE * (self.lane_luts() + table + out_bits) + cost.counter(folds) + 12
        return Resources(LUT=luts, FF=folding.PE * (x_bits + 2 * out_bits) + 20)

    def reference(self, b: Builder, inputs: Sequence[ir.Value]) -> list[ir.Value]:
        kinds = (self.x_type, self.y_type)
        wide = any(carrier(kind) == np.float64 for kind in (*kinds, self.out_type))
        operands = [
            b.op("Cast", x, to=ir.DataType.DOUBLE) if wide else x
            for x in inputs[: 1 if self.is_constant else 2]
        ]
        if self.is_constant:
            operands.append(b.constant(self.operand(), np.float64 if wide else np.float32))
        y = b.op(self.onnx_op, *operands)
        if wide and carrier(self.out_type) == np.float32:
            y = b.op("Cast", y, to=ir.DataType.FLOAT)
        return [y]
