# SPDX-License-Identifier: Apache-2.0
"""Quantizers: QONNX's by QONNX's own functions, ONNX's as the standard defines them.

All are rising functions, so that both ends of a span go through them in float32. What comes out
is on the quantizer's grid; where the ends differ, any code between them may be right.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from onnx import TensorProto
from qonnx.custom_op.general.bipolar_quant import binary_quant
from qonnx.custom_op.general.intquant import int_quant
from qonnx.custom_op.general.trunc import trunc_v1, trunc_v2

from tests.oracle.node import Node, Operands, Unknown, given, need
from tests.oracle.spans import Array, Span, round32

MODES = {"ROUND_TO_ZERO": "DOWN"}
"""Names that QONNX's specification has and its executor has not."""
RANGES = {
    TensorProto.INT8: (-128, 127),
    TensorProto.UINT8: (0, 255),
    TensorProto.INT16: (-(1 << 15), (1 << 15) - 1),
    TensorProto.UINT16: (0, (1 << 16) - 1),
    TensorProto.INT4: (-8, 7),
    TensorProto.UINT4: (0, 15),
    TensorProto.INT32: (-(1 << 31), (1 << 31) - 1),
}


@dataclass(frozen=True)
class Quantized:
    """What a quantizer gives.

    Attributes:
        span: its output.
        step: between neighbouring values; broadcasts.
        zero: the stored integer that stands for zero, where the output is stored integers.
        middle: what the middle of the input's span becomes, where the ends differ.
    """

    span: Span
    step: Array
    zero: Array | None = None
    middle: Array | None = None

    def nearest(self, span: Span) -> Array:
        """The value in the middle of the span that went in."""
        return span.low if self.middle is None else self.middle


def _single(operand: Span) -> np.ndarray:
    return np.asarray(operand.low, np.float32)


def qonnx_quantizer(node: Node, x: Operands) -> Quantized:
    """Quant, BipolarQuant or Trunc."""
    data, parameters = need(x, 0), [_single(need(x, i)) for i in range(1, len(x))]
    mode = str(node.get("rounding_mode", "FLOOR" if node.op == "Trunc" else "ROUND")).upper()
    mode = MODES.get(mode, mode)

    def apply(a: Array) -> Array:
        v = np.asarray(a, np.float32)
        if node.op == "BipolarQuant":
            y = binary_quant(v, parameters[0])
        elif node.op in ("Quant", "IntQuant"):
            flags = int(node.get("signed", 1)), int(node.get("narrow", 1))
            y = int_quant(v, *parameters[:3], *flags, mode)
        elif len(parameters) == 5:
            scale, zero, _, out, bits = parameters
            flags = int(node.get("narrow", 0)), int(node.get("signed", 1))
            y = trunc_v2(v, scale, zero, parameters[2], flags[0], flags[1], out, bits, mode)
        else:
            y = trunc_v1(v, *parameters, mode)
        return np.asarray(y, np.float64)

    step = np.asarray(parameters[3] if node.op == "Trunc" and len(parameters) == 5
                      else parameters[0], np.float64)  # fmt: skip
    whole = step if node.op != "BipolarQuant" else step * 2
    low = apply(data.low)
    high = low if data.low is data.high else apply(data.high)
    zero = np.asarray(parameters[1], np.float64) if node.op != "BipolarQuant" else np.zeros(())
    if node.op == "Trunc" and len(parameters) == 5:
        zero = zero / 2.0 ** np.round(np.log2(step / np.asarray(parameters[0], np.float64)))
    exact = (np.rint(low / step + zero) - zero) * step
    slack = np.abs(exact - low)
    middle = None if low is high else apply(data.middle)
    span = Span(low, high, slack if slack.any() else np.zeros(()), data.constant)
    return Quantized(span, whole, None, middle)


def _per_axis(parameter: Span | None, node: Node, rank: int) -> Array:
    if parameter is None:
        return np.zeros(())
    array = parameter.low
    if array.ndim != 1 or array.size == 1:
        if array.ndim > 1:
            raise Unknown("quantization in blocks")
        return array.reshape(())
    dims = [1] * rank
    dims[int(node.get("axis", 1)) % rank] = -1
    return array.reshape(dims)


def saturated(rounded: Array, zero: Array, kind: int) -> Array:
    """Stored integers of a type."""
    low, high = RANGES[kind]
    return np.clip(rounded + zero, low, high)


def quantize_linear(node: Node, x: Operands, kinds: dict[str, int]) -> Quantized:
    """QuantizeLinear: clip(round(x / scale) + zero point)."""
    data, rank = need(x, 0), len(need(x, 0).shape)
    scale, zero = _per_axis(need(x, 1), node, rank), _per_axis(given(x, 2), node, rank)
    kind = kinds[node.outputs[0]]

    def apply(a: Array) -> Array:
        return saturated(np.rint(round32(a / scale)), zero, kind)

    low = apply(data.low)
    high = low if data.low is data.high else apply(data.high)
    middle = None if low is high else apply(data.middle)
    return Quantized(Span(low, high, np.zeros(()), data.constant), np.ones(()), zero, middle)


def dequantize_linear(node: Node, x: Operands) -> Span:
    """DequantizeLinear: (q - zero point) times scale, in float32."""
    data, rank = need(x, 0), len(need(x, 0).shape)
    scale, zero = _per_axis(need(x, 1), node, rank), _per_axis(given(x, 2), node, rank)
    exact = (data.low - zero) * scale
    low = round32(exact)
    high = low if data.low is data.high else round32((data.high - zero) * scale)
    slack = np.abs(low - exact)
    return Span(low, high, slack if slack.any() else np.zeros(()), data.constant)
