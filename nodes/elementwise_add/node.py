# SPDX-License-Identifier: Apache-2.0
"""ElementwiseAdd: two branches, or a bias that no threshold has absorbed."""

from __future__ import annotations

from qnnc.compiler.dataflow.base import Role
from qnnc.compiler.ir.facts import IntArray
from qnnc.nodes.shared.elementwise.node import Elementwise


class ElementwiseAdd(Elementwise):
    """lhs + rhs; a constant rhs is one per channel or one for all."""

    op_type = "ElementwiseAdd"
    role = Role.SUM
    onnx_op = "Add"

    def apply_to(self, x: IntArray, y: IntArray) -> IntArray:
        return x + y

    def lane_luts(self) -> float:
        return float(self.out_type.bitwidth())
