# SPDX-License-Identifier: Apache-2.0
"""BipolarQuant: the sign, as -scale or +scale; zero counts as positive."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from qnnc.compiler.ir.builder import Builder
from qnnc.compiler.ir.quantizers.base import Quantizer


class BipolarQuant(Quantizer):
    """Inputs x, scale. The code is 0 for -scale and 1 for +scale."""

    def __init__(self, node: ir.Node) -> None:
        super().__init__(node)
        step = self.positive_scale(1)
        self.step = step.astype(np.float32)
        self.low, self.high = 0, 1
        self.scale, self.offset = 2 * step, -step

    def codes(self, b: Builder, x: ir.Value) -> ir.Value:
        return b.op("Cast", b.op("GreaterOrEqual", x, b.constant(0.0)), to=ir.DataType.FLOAT)

    def values(self, b: Builder, codes: ir.Value) -> ir.Value:
        sign = b.op("Sub", b.op("Mul", codes, b.constant(2.0)), b.constant(1.0))
        return b.op("Mul", sign, b.constant(self.step))
