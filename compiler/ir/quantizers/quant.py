# SPDX-License-Identifier: Apache-2.0
"""Quant (IntQuant): uniform integer quantization with scale, zero point and bit width."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from qnnc.compiler.ir.builder import Builder
from qnnc.compiler.ir.quantizers.base import (
    Quantizer,
    integer_range,
    is_integer_array,
    round_with,
)


class Quant(Quantizer):
    """Inputs x, scale, zero point, bit width; attributes signed, narrow, rounding_mode.

    A whole zero point is taken off the code, so that the offset is zero; a broken one stays in
    the offset. One signed bit means -1 and +1 (as in QONNX), coded as 0 and 1. A bit width of its
    own for each weight or channel only moves the ends of its range.
    """

    def __init__(self, node: ir.Node) -> None:
        super().__init__(node)
        step = self.positive_scale(1)
        self.zero_point = self.parameter(2, "zero point")
        self.bits = self.bit_widths(3)
        self.mode = self.rounding_mode("ROUND")
        self.step = step.astype(np.float32)
        signed = self.flag("signed", 1)
        self.bipolar = signed and self.bits.size == 1 and int(self.bits.reshape(())) == 1
        narrow = self.flag("narrow", 1)
        ranges = [integer_range(int(bits), signed, narrow) for bits in self.bits.reshape(-1)]
        self.ends = tuple(
            np.array(ends, dtype=np.float64).reshape(self.bits.shape)
            for ends in zip(*ranges, strict=True)
        )
        self.grid = min(low for low, _ in ranges), max(high for _, high in ranges)
        self.subtracts = is_integer_array(self.zero_point)
        if self.bipolar:
            self.low, self.high = 0, 1
            self.scale = 2 * step
            self.offset = -step * (1 + self.zero_point)
        elif self.subtracts:
            self.set_range(self.grid, self.zero_point)
            self.scale, self.offset = step, np.zeros(())
        else:
            self.low, self.high = self.grid
            self.scale, self.offset = step, -step * self.zero_point

    def codes(self, b: Builder, x: ir.Value) -> ir.Value:
        y = b.op("Div", x, b.constant(self.step))
        if np.any(self.zero_point):
            y = b.op("Add", y, b.constant(self.zero_point))
        if self.bipolar:
            reached = b.op("GreaterOrEqual", y, b.constant(0.0))
            return b.op("Cast", reached, to=ir.DataType.FLOAT)
        if self.bits.size == 1:
            y = b.op("Clip", y, b.constant(self.grid[0]), b.constant(self.grid[1]))
        else:
            y = b.op("Min", b.op("Max", y, b.constant(self.ends[0])), b.constant(self.ends[1]))
        y = round_with(b, y, self.mode)
        if self.subtracts and np.any(self.zero_point):
            y = b.op("Sub", y, b.constant(self.zero_point))
        return y

    def values(self, b: Builder, codes: ir.Value) -> ir.Value:
        y = codes
        if self.bipolar:
            y = b.op("Sub", b.op("Mul", y, b.constant(2.0)), b.constant(1.0))
        if np.any(self.zero_point) and (self.bipolar or not self.subtracts):
            y = b.op("Sub", y, b.constant(self.zero_point))
        return b.op("Mul", y, b.constant(self.step))
