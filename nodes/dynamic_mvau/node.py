# SPDX-License-Identifier: Apache-2.0
"""DynamicMVAU: the product of two computed tensors, such as attention has.

FINN's MVAU with weights that come as a stream of their own (`dynamic_input`, or `mem_mode`
"dynamic"), but for the order in which they may come.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from qonnx.core.datatype import BaseDataType

from qnnc.compiler.dataflow import attributes
from qnnc.compiler.dataflow.base import (
    DataflowNode,
    NewNode,
    Ports,
    Range,
    Role,
    Stream,
)
from qnnc.compiler.dataflow.dot_product import DotProduct, plan_dot_product, plan_dsp_product
from qnnc.compiler.dataflow.dsp_packing import WeightRange
from qnnc.compiler.dataflow.folding import (
    ArithmeticFolding,
    MemoryFolding,
    PEFolding,
    RamStyle,
    SIMDFolding,
)
from qnnc.compiler.dataflow.schedule import Intake, Schedule
from qnnc.compiler.datatypes import carrier
from qnnc.compiler.ir.builder import Builder
from qnnc.compiler.ir.intervals import Interval, product_of_two
from qnnc.compiler.resources import Resources
from qnnc.nodes.dynamic_mvau.matrix_buffer import MatrixBuffer
from qnnc.nodes.shared.dot_unit import DotUnit, arithmetic, dsp_helps, sizes

MAX_LANES = 2048
"""Products per cycle at most: each takes a multiplier of two variables."""
MAX_BLOCKS = 280
"""RAMB18E1s of a Z7020."""
WORD_LATENCY = 2
"""Cycles from a step to its weights."""


@dataclass(frozen=True, kw_only=True)
class DynamicMVAUFolding(ArithmeticFolding, MemoryFolding, SIMDFolding, PEFolding):
    """PE outputs of SIMD inputs each are worked on per cycle; `ram_style` is that of the matrix."""


class DynamicMVAU(DataflowNode[DynamicMVAUFolding]):
    """Inputs x [..., MW], `vectors` of them per frame, and matrices, `matrices` of them per frame:
    [matrices, MW, MH], or [matrices, MH, MW] if `transposed`; output [..., MH].

    The vectors of a frame are shared out evenly: the first vectors / matrices of them are
    multiplied by the first matrix, and so on. A matrix is complete before its first product.
    """

    op_type = "DynamicMVAU"
    short_name = "dynamic_mvau"
    role = Role.DYNAMIC_PRODUCT
    kind = "product"
    folding_type = DynamicMVAUFolding
    input_types = ("x_type", "w_type")

    MW: int = attributes.integer("MW")
    MH: int = attributes.integer("MH")
    matrices: int = attributes.integer("matrices", 1)
    transposed: bool = attributes.flag("transposed", False)
    x_type: BaseDataType = attributes.integer_type("inputDataType")
    w_type: BaseDataType = attributes.integer_type("weightDataType")
    out_type: BaseDataType = attributes.integer_type("outputDataType")
    acc_type: BaseDataType = attributes.integer_type("accDataType", "INT32")

    @classmethod
    def create(
        cls,
        *,
        matrix: tuple[int, int],
        x: BaseDataType,
        weights: BaseDataType,
        out: BaseDataType,
        vectors: Sequence[int],
        matrices: int = 1,
        transposed: bool = False,
    ) -> NewNode:
        """A product with matrices [MW, MH], unfolded."""
        return cls.new(
            MW=matrix[0],
            MH=matrix[1],
            PE=1,
            SIMD=1,
            inputDataType=x.name,
            weightDataType=weights.name,
            outputDataType=out.name,
            accDataType=out.name,
            noActivation=1,
            mem_mode="dynamic",
            numInputVectors=list(vectors),
            matrices=matrices,
            transposed=int(transposed),
        )

    @property
    def rows(self) -> int:
        """Vectors that a matrix is for."""
        return self.vectors // self.matrices

    @property
    def matrix_shape(self) -> tuple[int, ...]:
        """Of the stream of matrices, batch dimension included."""
        sides = (self.MH, self.MW) if self.transposed else (self.MW, self.MH)
        return (1, self.matrices, *sides) if self.matrices > 1 else (1, *sides)

    # --- types ------------------------------------------------------------------------------

    def output_ranges(self, inputs: Sequence[Range]) -> list[Range]:
        x, w = inputs
        along = w.low.reshape(-1, 1), w.high.reshape(-1, 1)
        w_bounds = Interval.of(*along) if self.transposed else Interval.of(w.low, w.high)
        found = product_of_two(x, w_bounds, self.MW)
        return [Range.of(found.low, found.high)]

    def set_types(self, inputs: Sequence[BaseDataType], outputs: Sequence[BaseDataType]) -> None:
        super().set_types(inputs, outputs)
        self.acc_type = outputs[0]

    # --- folding ----------------------------------------------------------------------------

    def foldings(self) -> Iterable[DynamicMVAUFolding]:
        styles: tuple[RamStyle, ...] = ("distributed", "block")
        dsp = dsp_helps(self.x_type, self.w_type)
        for simd, pe in sizes(self.MW, self.MH, MAX_LANES):
            for ram_style, res in itertools.product(styles, arithmetic(dsp, simd, pe)):
                found = DynamicMVAUFolding(PE=pe, SIMD=simd, ram_style=ram_style, resType=res)
                if self.buffer(found).fits(MAX_BLOCKS):
                    yield found

    def steps(self, folding: DynamicMVAUFolding) -> int:
        """SF: steps of a pass."""
        return self.MW // folding.SIMD

    def passes(self, folding: DynamicMVAUFolding) -> int:
        """NF: passes over a vector."""
        return self.MH // folding.PE

    def buffer(self, folding: DynamicMVAUFolding) -> MatrixBuffer:
        """The memory of two matrices."""
        return MatrixBuffer(
            bits=int(self.w_type.bitwidth()),
            pe=folding.PE,
            simd=folding.SIMD,
            steps=self.steps(folding),
            passes=self.passes(folding),
            repeat=self.rows,
            transposed=self.transposed,
            block=folding.ram_style == "block",
        )

    def dot_product(self, folding: DynamicMVAUFolding) -> DotProduct:
        """The lanes' arithmetic."""
        if folding.resType != "dsp":
            return plan_dot_product(self.x_type, self.w_type, folding.SIMD, xnor=False)
        ends = np.array([int(self.w_type.min()), int(self.w_type.max())])
        return plan_dsp_product(
            self.x_type,
            self.w_type,
            WeightRange.of(ends),
            simd=folding.SIMD,
            pe=folding.PE,
            steps=self.steps(folding),
        )

    def unit(self, folding: DynamicMVAUFolding) -> DotUnit:
        """The lanes and their buffers."""
        return DotUnit(
            dot=self.dot_product(folding),
            pe=folding.PE,
            steps=self.steps(folding),
            passes=self.passes(folding),
            x_width=folding.SIMD * self.x_type.bitwidth(),
            acc_bits=self.out_type.bitwidth(),
            weight_latency=WORD_LATENCY,
        )

    def notes(self, folding: DynamicMVAUFolding) -> list[str]:
        """What the matrix is."""
        many = f"{self.matrices} matrices" if self.matrices > 1 else "a matrix"
        return [f"multiplies by {many} per frame, each used for {self.rows} vectors"]

    # --- meaning ----------------------------------------------------------------------------

    def ports(self, folding: DynamicMVAUFolding) -> Ports:
        vectors = self.vectors_shape
        lanes = folding.SIMD if self.transposed else folding.PE
        return Ports(
            (
                Stream((*vectors, self.MW), self.x_type, folding.SIMD),
                Stream(self.matrix_shape, self.w_type, lanes),
            ),
            (Stream((*vectors, self.MH), self.out_type, folding.PE),),
        )

    def cycles(self, folding: DynamicMVAUFolding) -> int:
        """Of the products, or of taking in the matrices where that takes longer."""
        products = self.steps(folding) * self.passes(folding) * self.vectors
        return max(products, self.ports(folding).inputs[1].words)

    def latency(self, folding: DynamicMVAUFolding) -> int:
        return self.buffer(folding).words + self.steps(folding) + self.unit(folding).latency

    def schedule(self, folding: DynamicMVAUFolding) -> Schedule:
        """A vector at a time, each after the whole of its matrix; the next matrix, and with
        several passes two more vectors, find room meanwhile."""
        size = self.MW * self.MH
        done = np.arange(1, self.vectors + 1, dtype=np.int64)
        cycles = -(-self.cycles(folding) // self.vectors)
        room = 2 * self.MW if self.passes(folding) > 1 else 0
        return Schedule(
            np.full(self.vectors, cycles, dtype=np.int64),
            self.unit(folding).latency,
            (
                Intake(done * self.MW, done * self.MW, room),
                Intake(-(-done // self.rows) * size, done // self.rows * size, 2 * size),
            ),
            (done * self.MH,),
        )

    def resources(self, folding: DynamicMVAUFolding) -> Resources:
        unit, dot = self.unit(folding), self.dot_product(folding)
        luts = 0
        if dot.group and dot.w_signed:  # a negative weight takes one from the digit above
            luts = unit.modules * (dot.lanes - 1) * folding.SIMD * dot.w_bits
        words = Resources(LUT=luts, FF=folding.PE * folding.SIMD * dot.w_bits)
        return unit.resources + words + self.buffer(folding).resources

    def reference(self, b: Builder, inputs: Sequence[ir.Value]) -> list[ir.Value]:
        x, w = inputs
        if self._wide:
            x, w = (b.op("Cast", value, to=ir.DataType.DOUBLE) for value in (x, w))
        x = b.op("Reshape", x, b.constant([0, self.matrices, self.rows, self.MW], np.int64))
        sides = self.matrix_shape[-2:]
        w = b.op("Reshape", w, b.constant([0, self.matrices, *sides], np.int64))
        if self.transposed:
            w = b.op("Transpose", w, perm=[0, 1, 3, 2])
        product = b.op("MatMul", x, w)
        shape = [0, *self.vectors_shape[1:], self.MH]
        y = b.op("Reshape", product, b.constant(shape, np.int64))
        if self._wide and carrier(self.out_type) == np.float32:
            y = b.op("Cast", y, to=ir.DataType.FLOAT)
        return [y]

    @property
    def _wide(self) -> bool:
        """Float32 does not carry every sum, those on the way included."""
        kinds = (self.x_type, self.w_type)
        if any(carrier(kind) == np.float64 for kind in (*kinds, self.out_type)):
            return True
        largest = math.prod(max(abs(float(k.min())), abs(float(k.max()))) for k in kinds)
        return bool(largest * self.MW >= 1 << 24)
