# SPDX-License-Identifier: Apache-2.0
"""LinearQuant: ONNX's QuantizeLinear, and what ONNX Runtime's QLinear operators do in its place.

The stored integer q lies in low..high. ONNX Runtime's kernels bring in the zero point at three
places, which differ where x / scale is halfway between integers or rounds in float32:

    after     q = clip(round(x / scale) + zero point)   QuantizeLinear, QLinearConv, QLinearMatMul
    before    q = clip(round(x / scale + zero point))   QLinearMul, QLinearAveragePool
    included  q = clip(round(x / scale))                QLinearAdd: x brings the zero point along

Rounding is half to even. The code is q - zero point.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from qnnc.compiler.errors import ModelError, quote
from qnnc.compiler.ir.builder import Builder
from qnnc.compiler.ir.edit import attribute
from qnnc.compiler.ir.quantizers.base import Quantizer, is_integer_array

STORED = {(-128, 127): np.int8, (0, 255): np.uint8}
"""Types that QuantizeLinear has had since its first version, by range."""


class LinearQuant(Quantizer):
    """Inputs x, scale, zero point; attributes low, high, order, codes.

    With codes=1 the output is the code itself, otherwise the code times scale.
    """

    def __init__(self, node: ir.Node) -> None:
        super().__init__(node)
        scale = self.positive_scale(1)
        self.step = scale.astype(np.float32)
        self.zero_point = self.parameter(2, "zero point")
        if not is_integer_array(self.zero_point):
            raise ModelError(f"node {quote(node.name)}: its zero point must be an integer")
        self.grid = int(attribute(node, "low")), int(attribute(node, "high"))
        self.order = str(attribute(node, "order", "after"))
        self.gives_codes = bool(attribute(node, "codes", 0))
        self.set_range(self.grid, self.zero_point)
        self.scale = np.ones(()) if self.gives_codes else scale
        self.offset = np.zeros(())

    def reference(self, b: Builder, x: ir.Value) -> ir.Value:
        """ONNX Runtime's own operators where they say the same."""
        stored = STORED.get(self.grid)
        if self.order != "after" or stored is None or self.step.size + self.zero_point.size > 2:
            return self.values(b, self.codes(b, x))
        scale = b.constant(self.step.reshape(()))
        zero = b.constant(self.zero_point.reshape(()).astype(np.int64), stored)
        q = b.op("QuantizeLinear", x, scale, zero)
        one = b.constant(1.0)
        return b.op("DequantizeLinear", q, one if self.gives_codes else scale, zero)

    def codes(self, b: Builder, x: ir.Value) -> ir.Value:
        y = x
        if np.any(self.step != 1):
            y = b.op("Div", y, b.constant(self.step))
        zero = self.zero_point
        if self.order == "after":
            low, high = self.grid[0] - zero, self.grid[1] - zero
            if zero.size == 1:
                bounds = b.constant(low.reshape(())), b.constant(high.reshape(()))
                return b.op("Round", b.op("Clip", y, *bounds))
            y = b.op("Min", b.op("Max", y, b.constant(low)), b.constant(high))
            return b.op("Round", y)
        if self.order == "before" and np.any(zero):
            y = b.op("Add", y, b.constant(zero))
        y = b.op("Round", b.op("Clip", y, b.constant(self.grid[0]), b.constant(self.grid[1])))
        return b.op("Sub", y, b.constant(zero)) if np.any(zero) else y

    def values(self, b: Builder, codes: ir.Value) -> ir.Value:
        return codes if self.gives_codes else b.op("Mul", codes, b.constant(self.step))
