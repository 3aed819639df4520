# SPDX-License-Identifier: Apache-2.0
"""ElementwiseAdd with a constant: a bias that no threshold took up."""

from __future__ import annotations

from qnnc.compiler.dataflow.elementwise import ElementwiseConstant


class ElementwiseAdd(ElementwiseConstant):
    """x + constant, one constant a channel or one for all."""

    op_type = "ElementwiseAdd"
    onnx_op = "Add"

    def lane_luts(self) -> float:
        return float(self.out_type.bitwidth())
