# SPDX-License-Identifier: Apache-2.0
"""ElementwiseMul with a constant: a scale that no threshold took up."""

from __future__ import annotations

import numpy as np

from qnnc.compiler.dataflow.elementwise import ElementwiseConstant


class ElementwiseMul(ElementwiseConstant):
    """x * constant, one constant a channel or one for all."""

    op_type = "ElementwiseMul"
    onnx_op = "Mul"

    def lane_luts(self) -> float:
        operand = self.operand()
        if operand.size == 1:
            # a multiplication by a constant is an addition for every further one bit
            ones = int(np.abs(operand).item()).bit_count()
            return float(max(0, ones - 1) * self.out_type.bitwidth())
        return 1.6 * float(self.x_type.bitwidth() * self.constant_type.bitwidth())
