# SPDX-License-Identifier: Apache-2.0
"""What all quantizers share: constant parameters, checked once, and the two halves of the work."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from qnnc.compiler.datatypes import MAX_BITS
from qnnc.compiler.errors import ModelError, quote
from qnnc.compiler.ir.builder import Builder
from qnnc.compiler.ir.edit import constant

FloatArray = NDArray[np.float64]

EXACT = 1 << 24
"""Up to here, float32 holds every integer."""

ROUNDING_MODES = (
    "ROUND",
    "HALF_EVEN",
    "CEIL",
    "FLOOR",
    "UP",
    "DOWN",
    "ROUND_TO_ZERO",
    "HALF_UP",
    "HALF_DOWN",
)


class Quantizer(ABC):
    """A quantizer node.

    Its output is `code * scale + offset`, where the code is an integer in low..high; `codes`
    writes the first half, `values` the second, in the order and precision of QONNX's own
    reference (float32, clamp before rounding).

    Attributes:
        low: least code.
        high: greatest code.
        scale: positive, broadcasts against the tensor.
        offset: broadcasts against the tensor.
    """

    low: int
    high: int
    scale: FloatArray
    offset: FloatArray

    def __init__(self, node: ir.Node) -> None:
        self.node = node

    @property
    def input(self) -> ir.Value:
        """The tensor that is quantized; raises ModelError if there is none."""
        value = self.node.inputs[0]
        if value is None:
            raise ModelError(f"node {quote(self.node.name)} has no input")
        return value

    @abstractmethod
    def codes(self, b: Builder, x: ir.Value) -> ir.Value:
        """Integer codes of `x`."""

    @abstractmethod
    def values(self, b: Builder, codes: ir.Value) -> ir.Value:
        """The quantizer's output from its codes."""

    def reference(self, b: Builder, x: ir.Value) -> ir.Value:
        """The whole quantizer in standard ONNX operators."""
        return self.values(b, self.codes(b, x))

    def parameter(self, index: int, what: str) -> FloatArray:
        """A constant input; raises ModelError if it is computed or not finite."""
        value = self.node.inputs[index] if index < len(self.node.inputs) else None
        if value is None:
            raise ModelError(f"node {quote(self.node.name)} ({self.node.op_type}) has no {what}")
        wrong = ""
        array = constant(value)
        if array is None:
            wrong = "a constant"
        elif array.dtype.kind not in "fiu":
            wrong = "a number"
        elif not array.size:
            wrong = "a number, but empty"
        elif not np.all(np.isfinite(array)):
            wrong = "finite"
        if wrong:
            raise ModelError(
                f"node {quote(self.node.name)}: its {what} {quote(value.name)} is not {wrong}"
            )
        return np.asarray(array, dtype=np.float64)

    def positive_scale(self, index: int) -> FloatArray:
        """The scale; raises ModelError unless it is positive."""
        scale = self.parameter(index, "scale")
        if not np.all(scale.astype(np.float32) > 0):
            named = quote(_name(self.node.inputs[index]))
            wrong = "must be positive" if not np.all(scale > 0) else "is zero in float32"
            raise ModelError(f"node {quote(self.node.name)}: its scale {named} {wrong}")
        return scale

    def set_range(self, grid: tuple[int, int], zero_point: FloatArray) -> None:
        """Set the range of the codes: the grid's, less the zero point.

        Raises:
            ModelError: with a zero point, codes are integers that float32 does not hold.
        """
        low, high = grid[0] - zero_point.max(), grid[1] - zero_point.min()
        largest = max(*map(abs, (*grid, low, high)), np.abs(zero_point).max())
        if np.any(zero_point) and largest > EXACT:
            raise ModelError(
                f"node {quote(self.node.name)} ({self.node.op_type}): with its zero point, its "
                f"codes are integers up to {largest:g}; float32 holds those up to 2^24: quantize "
                "to fewer bits, or without a zero point"
            )
        self.low, self.high = int(low), int(high)

    def bit_width(self, index: int) -> int:
        """A bit width input; raises ModelError unless it is one possible integer."""
        bits = self.parameter(index, "bit width")
        if bits.size != 1 or bits.item() != int(bits.item()) or not 1 <= bits.item() <= MAX_BITS:
            raise ModelError(
                f"node {quote(self.node.name)}: its bit width must be one integer from 1 to "
                f"{MAX_BITS}, not {np.array2string(bits, threshold=4)}"
            )
        return int(bits.item())

    def bit_widths(self, index: int) -> FloatArray:
        """A bit width input that may differ from element to element; raises ModelError unless all
        are possible integers."""
        bits = self.parameter(index, "bit width")
        if bits.size <= 1:
            return np.asarray(float(self.bit_width(index)))
        if np.any(bits != np.rint(bits)) or bits.min() < 1 or bits.max() > MAX_BITS:
            raise ModelError(
                f"node {quote(self.node.name)}: its bit widths must be integers from 1 to "
                f"{MAX_BITS}, not {np.array2string(bits, threshold=4)}"
            )
        return bits

    def rounding_mode(self, default: str) -> str:
        """The rounding mode attribute; raises ModelError for an unknown one."""
        found = self.node.attributes.get("rounding_mode")
        mode = str(default if found is None else found.value).upper()
        if mode not in ROUNDING_MODES:
            raise ModelError(
                f"node {quote(self.node.name)}: unknown rounding_mode {quote(mode)} "
                f"(known: {', '.join(ROUNDING_MODES)})"
            )
        return mode

    def flag(self, name: str, default: int) -> bool:
        """A 0/1 attribute."""
        found = self.node.attributes.get(name)
        return bool(default if found is None else found.value)


def _name(value: ir.Value | None) -> str | None:
    return None if value is None else value.name


def integer_range(bits: int, signed: bool, narrow: bool) -> tuple[int, int]:
    """Codes of an integer quantizer: QONNX's min_int and max_int."""
    if signed:
        half = 1 << (bits - 1)
        return (-half + 1 if narrow else -half), half - 1
    return 0, (1 << bits) - (2 if narrow else 1)


def round_with(b: Builder, x: ir.Value, mode: str) -> ir.Value:
    """Round to integer as QONNX's rounding modes say."""
    if mode in ("ROUND", "HALF_EVEN"):
        return b.op("Round", x)
    if mode == "CEIL":
        return b.op("Ceil", x)
    if mode == "FLOOR":
        return b.op("Floor", x)
    magnitude = b.op("Abs", x)
    if mode == "UP":
        magnitude = b.op("Ceil", magnitude)
    elif mode in ("DOWN", "ROUND_TO_ZERO"):
        magnitude = b.op("Floor", magnitude)
    elif mode == "HALF_UP":
        magnitude = b.op("Floor", b.op("Add", magnitude, b.constant(0.5)))
    else:
        magnitude = b.op("Ceil", b.op("Sub", magnitude, b.constant(0.5)))
    return b.op("Mul", b.op("Sign", x), magnitude)


def is_integer_array(array: NDArray[Any]) -> bool:
    """All elements are whole numbers."""
    return bool(np.all(array == np.round(array)))
