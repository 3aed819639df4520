# SPDX-License-Identifier: Apache-2.0
"""ElementwiseMul: two branches, or a scale that no threshold has absorbed."""

from __future__ import annotations

import numpy as np

from qnnc.compiler.dataflow import cost
from qnnc.compiler.ir.facts import IntArray
from qnnc.nodes.shared.elementwise.node import Elementwise

LUT_INPUTS = 6


class ElementwiseMul(Elementwise):
    """lhs * rhs; a constant rhs is one per channel or one for all."""

    op_type = "ElementwiseMul"
    onnx_op = "Mul"

    def apply_to(self, x: IntArray, y: IntArray) -> IntArray:
        return x * y

    def lane_luts(self) -> float:
        if self.is_constant and self.operand().size == 1:
            # a multiplication by a constant is an addition for each of its ones but the first
            ones = int(np.abs(self.operand()).item()).bit_count()
            # or, of few bits, a table for each bit of the product
            tables = 1 << max(0, self.x_type.bitwidth() - LUT_INPUTS)
            return float(min(max(0, ones - 1), tables) * self.out_type.bitwidth())
        if not self.is_constant:
            return cost.product(self.x_type.bitwidth(), self.y_type.bitwidth())
        return 1.6 * float(self.x_type.bitwidth() * self.y_type.bitwidth())
