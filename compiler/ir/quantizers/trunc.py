# SPDX-License-Identifier: Apache-2.0
"""Trunc: drops low bits of a tensor that is quantized already (versions 1 and 2)."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from qnnc.compiler.datatypes import MAX_BITS
from qnnc.compiler.errors import ModelError, quote
from qnnc.compiler.ir.builder import Builder
from qnnc.compiler.ir.quantizers.base import (
    Quantizer,
    integer_range,
    is_integer_array,
    round_with,
)


class Trunc(Quantizer):
    """Version 1: x, scale, zero point, input bits, output bits. Version 2 has an output scale
    before the output bits, and clamps."""

    def __init__(self, node: ir.Node) -> None:
        super().__init__(node)
        self.mode = self.rounding_mode("FLOOR")
        step = self.positive_scale(1)
        zero = self.parameter(2, "zero point")
        self.second = len(node.inputs) >= 6
        bits = self.bit_width(5 if self.second else 4)
        if self.second:
            output_scale = self.positive_scale(4)
            self.divisor = 2.0 ** np.round(np.log2(output_scale / step))
            grid = integer_range(bits, self.flag("signed", 1), self.flag("narrow", 0))
            self.clip: tuple[int, int] | None = grid
            self.output_zero = zero / self.divisor
        else:
            output_scale = step
            self.divisor = np.asarray(2.0 ** (self.bit_width(3) - bits))
            self.clip = None
            # either sign, and one more where it is rounded up: this version does not clamp;
            # tails narrow it down
            grid = (-(1 << bits), 1 << bits)
            self.output_zero = zero
        if self.divisor.size != 1:
            raise ModelError(f"node {quote(node.name)}: Trunc needs one scale for the tensor")
        if not 2.0**-MAX_BITS <= self.divisor.item() <= 2.0**MAX_BITS:
            raise ModelError(
                f"node {quote(node.name)} (Trunc): its output scale is {self.divisor.item():g} "
                f"times its scale; it may be up to 2^{MAX_BITS} times as large or as small"
            )
        self.subtracts = is_integer_array(self.output_zero)
        taken = self.output_zero if self.subtracts else np.zeros(())
        self.set_range(grid, taken)
        self.zero_point = zero.astype(np.float32)
        self.step, self.output_step = step.astype(np.float32), output_scale.astype(np.float32)
        self.scale = output_scale
        self.offset = np.zeros(()) if self.subtracts else -output_scale * self.output_zero

    def codes(self, b: Builder, x: ir.Value) -> ir.Value:
        y = b.op("Div", x, b.constant(self.step))
        y = b.op("Round", b.op("Add", y, b.constant(self.zero_point)))
        y = b.op("Div", y, b.constant(self.divisor))
        if self.clip is not None:
            y = b.op("Clip", y, b.constant(self.clip[0]), b.constant(self.clip[1]))
        y = round_with(b, y, self.mode)
        if self.subtracts and np.any(self.output_zero):
            y = b.op("Sub", y, b.constant(self.output_zero))
        return y

    def values(self, b: Builder, codes: ir.Value) -> ir.Value:
        y = codes
        if not self.subtracts:
            y = b.op("Sub", y, b.constant(self.output_zero))
        return b.op("Mul", y, b.constant(self.output_step))
