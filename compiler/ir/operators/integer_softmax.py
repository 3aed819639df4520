# SPDX-License-Identifier: Apache-2.0
"""IntegerSoftmax: the codes of a quantizer after a Softmax over the last axis, from codes before.

With d the distance of a code from the greatest of its vector, exp(-scale d) comes from a table of
integers, and so does exp(-scale d) / step, step being the later quantizer's. A code is the rounded
quotient of the second and the sum of the first, computed exactly.

That is the code of the real numbers but near a boundary: the tables' rounding moves the quotient by
less than float32's own arithmetic does. `between` says which codes float32 may give.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from qnnc.compiler.ir.builder import Builder
from qnnc.compiler.ir.edit import QNNC, Editor, attribute, constant, shape_of
from qnnc.compiler.ir.facts import IntArray

NAME = "IntegerSoftmax"
FRACTION = 22
"""Bits of exp(0) in the table: its rounding is below that of float32."""
ULP = 2.0**-23


@dataclass(frozen=True, eq=False)
class Exponents:
    """What is between the codes.

    Attributes:
        tables: [2, distances]: exp(-scale d) in FRACTION bits, and that divided by the step.
        scale: of the codes before.
        offset: of the codes before.
        step: of the quantizer after.
        rounding: 0 down, 1 to nearest, 2 up.
        most: greatest code, counted from the least.
        base: least code.
    """

    tables: IntArray
    scale: float
    offset: float
    step: float
    rounding: int
    most: int
    base: int

    @classmethod
    def of(cls, node: ir.Node) -> Exponents:
        """Of a node that `insert` made, or of the dataflow node that it became."""
        tables, scales = constant(node.inputs[1]), constant(node.inputs[2])
        assert tables is not None and scales is not None
        scale, offset, step = (float(number) for number in scales)
        return cls(
            np.rint(tables).astype(np.int64),
            scale,
            offset,
            step,
            *(int(attribute(node, name)) for name in ("rounding", "most", "base")),
        )

    @classmethod
    def tabulate(
        cls,
        distances: int,
        *,
        scale: float,
        offset: float,
        step: float,
        rounding: int,
        most: int,
        base: int,
    ) -> Exponents:
        """With tables for so many distances, from 0 on."""
        exact = np.exp(-scale * np.arange(distances, dtype=np.float64)) * 2.0**FRACTION
        tables = np.rint([exact, exact / step]).astype(np.int64)
        return cls(tables, scale, offset, step, rounding, most, base)

    def between(self, codes: NDArray[np.float64]) -> tuple[IntArray, IntArray]:
        """Least and greatest code that float32 may give for codes [..., n].

        The terms, their sum and the quotient are each rounded, and the exponents before them.

        The bound is (n + 16) 2^-23 + 2^-21 max|x| of a probability, and for the rounding of a code
        2^-22 (1 + |base|).
        """
        x = np.asarray(codes, np.float64) * self.scale
        powers = np.exp(x - x.max(axis=-1, keepdims=True))
        p = powers / powers.sum(axis=-1, keepdims=True)
        reach = np.abs(x + self.offset).max(axis=-1, keepdims=True)
        relative = (p.shape[-1] + 16) * ULP + 4 * ULP * reach
        room = 2 * ULP * (abs(self.base) + 1)
        ends = []
        for sign in (-1, 1):
            exact = p * (1 + sign * relative) / self.step + self.rounding / 2 + sign * room
            ends.append(np.clip(np.floor(exact), 0, self.most).astype(np.int64) + self.base)
        return ends[0], ends[1]

    def operators(self, b: Builder, x: ir.Value) -> ir.Value:
        """In standard operators."""
        last = b.constant([-1], np.int64)
        greatest = b.op("ReduceMax", x, last, keepdims=1)
        distance = b.op("Cast", b.op("Sub", greatest, x), to=ir.DataType.INT64)
        term, scaled = (
            b.op("Gather", b.constant(table, np.int64), distance) for table in self.tables
        )
        total = b.op("ReduceSum", term, last, keepdims=1)
        two = b.constant(2, np.int64)
        above = b.op("Mul", scaled, two)
        if self.rounding:
            rounded = b.op("Mul", total, b.constant(self.rounding, np.int64))
            above = b.op("Add", above, rounded)
        quotient = b.op("Div", above, b.op("Mul", total, two))
        code = b.op("Min", quotient, b.constant(self.most, np.int64))
        if self.base:
            code = b.op("Add", code, b.constant(self.base, np.int64))
        return b.op("Cast", code, to=ir.DataType.FLOAT)


def insert(
    editor: Editor,
    before: ir.Node,
    x: ir.Value,
    found: Exponents,
    name: str,
    origins: Sequence[ir.Node],
) -> ir.Value:
    """Add an IntegerSoftmax node; returns its output."""
    scales = np.array([found.scale, found.offset, found.step], dtype=np.float64)
    return editor.insert(
        before,
        NAME,
        [
            x,
            editor.initializer(f"{name}_exponents", found.tables.astype(np.float64)),
            editor.initializer(f"{name}_scales", scales),
        ],
        name,
        domain=QNNC,
        shape=shape_of(x),
        origins=origins,
        attributes={"rounding": found.rounding, "most": found.most, "base": found.base},
    )


def reference(node: ir.Node, b: Builder, inputs: Sequence[ir.Value]) -> list[ir.Value]:
    """Inputs x, tables, scales."""
    return [Exponents.of(node).operators(b, inputs[0])]
