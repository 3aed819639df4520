# SPDX-License-Identifier: Apache-2.0
"""What ElementwiseAdd and ElementwiseMul with a constant share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import ClassVar

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from qnnc.compiler.dataflow import cost
from qnnc.compiler.dataflow.base import DataflowNode, Folding, Ports, Stream, divisors
from qnnc.compiler.datatypes import carrier
from qnnc.compiler.ir.builder import Builder
from qnnc.compiler.ir.facts import as_integers
from qnnc.compiler.resources import Resources


class ElementwiseConstant(DataflowNode):
    """Inputs x [..., C] and a constant [C] or [1]; output [..., C]."""

    folding_attributes = ("PE",)
    onnx_op: ClassVar[str]

    def __init__(self, node: ir.Node) -> None:
        super().__init__(node)
        self.x_type = self.type_attr("lhs_dtype")
        self.constant_type = self.type_attr("rhs_dtype")
        self.out_type = self.type_attr("out_dtype")
        self.shape = tuple(int(d) for d in self.attr("out_shape"))

    def operand(self) -> NDArray[np.int64]:
        """The constant, one element or one a channel."""
        return as_integers(self.constant_input(1)).reshape(-1)

    def foldings(self) -> Iterable[Folding]:
        return (Folding(PE=pe) for pe in divisors(self.shape[-1]))

    def folds(self, folding: Folding) -> int:
        """Rows of the constant's table."""
        return 1 if self.operand().size == 1 else self.shape[-1] // folding.PE

    def ports(self, folding: Folding) -> Ports:
        return Ports(
            (Stream(self.shape, self.x_type, folding.PE),),
            (Stream(self.shape, self.out_type, folding.PE),),
        )

    def cycles(self, folding: Folding) -> int:
        return self.ports(folding).inputs[0].words

    def latency(self, folding: Folding) -> int:
        return 5

    @abstractmethod
    def lane_luts(self) -> float:
        """LUTs of the arithmetic of a lane."""

    def resources(self, folding: Folding) -> Resources:
        folds = self.folds(folding)
        table = cost.logic_rom(self.operand()[:: folding.PE], self.constant_type.bitwidth())
        out_bits = self.out_type.bitwidth()
        luts = folding.PE * (self.lane_luts() + table + out_bits) + cost.counter(folds) + 12
        ffs = folding.PE * (self.x_type.bitwidth() + 2 * out_bits) + 20
        return Resources(LUT=luts, FF=ffs)

    def reference(self, b: Builder, inputs: Sequence[ir.Value]) -> list[ir.Value]:
        dtype = carrier(self.out_type)
        x = inputs[0]
        if dtype != carrier(self.x_type):
            x = b.op("Cast", x, to=ir.DataType.DOUBLE)
        return [b.op(self.onnx_op, x, b.constant(self.operand(), dtype))]
