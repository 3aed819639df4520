# SPDX-License-Identifier: Apache-2.0
"""Operators on stored integers: QLinear..., MatMulInteger, ConvInteger.

Integer sums are certain. What follows, a multiplication and a rounding in float32, differs between
libraries in its last bits, so that it gets a few units in the last place; ONNX Runtime on the
same file says which of two codes it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from tests.oracle import elementwise, sums
from tests.oracle.node import Node, Operands, given, need
from tests.oracle.quantizers import Quantized, saturated
from tests.oracle.spans import ULP, Array, Span
from tests.oracle.windows import Geometry

NO = np.zeros(())


def _value(x: Operands, index: int, axis: int | None = None, rank: int = 0) -> Array:
    """A scale or zero point, along an axis if there are several."""
    operand = given(x, index)
    if operand is None:
        return np.zeros(())
    array = operand.low
    if array.size == 1:
        return array.reshape(())
    dims = [1] * rank
    dims[axis or 0] = -1
    return array.reshape(dims)


def _less(data: Span, zero: Array) -> Span:
    return Span(data.low - zero, data.high - zero, NO, data.constant)


def _rounded(low: Array, high: Array, zero: Array, kind: int) -> Quantized:
    ends = [saturated(np.rint(v), zero, kind) for v in (low, high)]
    return Quantized(Span(ends[0], ends[1], NO), np.ones(()), zero)


def _loosely(low: Array, high: Array, zero: Array, kind: int, size: Array | float) -> Quantized:
    room = 4 * ULP * np.maximum(size, np.maximum(np.abs(low), np.abs(high)))
    return _rounded(low - room, high + room, zero, kind)


def _requantized(total: Span, factor: Array, zero: Array, kind: int) -> Quantized:
    """Round(total * factor) + zero; factor as the product and quotient of float32 scales."""
    return _loosely(total.low * factor, total.high * factor, zero, kind, 0.0)


def qlinear_conv(node: Node, x: Operands, kind: int) -> Quantized:
    """QLinearConv."""
    data, kernel = need(x, 0), need(x, 3)
    rank, groups = len(data.shape), int(node.get("group", 1))
    weights = _less(kernel, _value(x, 5, 0, rank))
    geometry = Geometry.of(node, data.shape[2:], kernel.shape[2:])
    centred = _less(data, _value(x, 2))
    low = sums.convolve(centred.middle, weights.low, geometry, groups)
    half = np.zeros(())
    if centred.low is not centred.high:
        half = sums.convolve(centred.half, np.abs(weights.low), geometry, groups)
    bias = given(x, 8)
    if bias is not None:
        low = low + bias.low.reshape([1, -1, *[1] * (rank - 2)])
    factor = _value(x, 1) * _value(x, 4, 1, rank) / _value(x, 6)
    return _requantized(Span(low - half, low + half, NO), factor, _value(x, 7), kind)


def _matrix(a: Span, b: Span) -> Span:
    middle = a.middle @ b.low
    half = a.half @ np.abs(b.low) if a.low is not a.high else np.zeros(())
    return Span(middle - half, middle + half, NO)


def qlinear_matmul(node: Node, x: Operands, kind: int) -> Quantized:
    """QLinearMatMul."""
    a, b = need(x, 0), need(x, 3)
    total = _matrix(_less(a, _value(x, 2)), _less(b, _value(x, 5, -1, 2)))
    factor = _value(x, 1) * _value(x, 4, -1, 2) / _value(x, 6)
    return _requantized(total, factor, _value(x, 7), kind)


def qgemm(node: Node, x: Operands, kind: int) -> Quantized:
    """com.microsoft's QGemm with an output scale."""
    a, b = _less(need(x, 0), _value(x, 2)), need(x, 3)
    columns = 0 if node.get("transB", 0) else 1
    b = _less(b, _value(x, 5, columns, 2))
    if node.get("transA", 0):
        a = a.moved(np.transpose)
    if columns == 0:
        b = b.moved(np.transpose)
    total = _matrix(a, b)
    bias = given(x, 6)
    if bias is not None:
        total = Span(total.low + bias.low, total.high + bias.low, NO)
    factor = float(node.get("alpha", 1.0)) * _value(x, 1) * _value(x, 4, -1, 2) / _value(x, 7)
    return _requantized(total, factor, _value(x, 8), kind)


def integer_product(node: Node, x: Operands) -> Span:
    """MatMulInteger and ConvInteger: int32 sums."""
    a, b = need(x, 0), need(x, 1)
    if node.op == "MatMulInteger":
        return _matrix(_less(a, _value(x, 2)), _less(b, _value(x, 3, -1, 2)))
    geometry = Geometry.of(node, a.shape[2:], b.shape[2:])
    groups = int(node.get("group", 1))
    a, b = _less(a, _value(x, 2)), _less(b, _value(x, 3))
    middle = sums.convolve(a.middle, b.low, geometry, groups)
    half = np.zeros(())
    if a.low is not a.high:
        half = sums.convolve(a.half, np.abs(b.low), geometry, groups)
    return Span(middle - half, middle + half, NO)


def qlinear_add(node: Node, x: Operands, kind: int) -> Quantized:
    """com.microsoft's QLinearAdd."""
    a = _scaled(_less(need(x, 0), _value(x, 2)), _value(x, 1) / _value(x, 6))
    b = _scaled(_less(need(x, 3), _value(x, 5)), _value(x, 4) / _value(x, 6))
    size = 512 * (1 + _value(x, 1) / _value(x, 6) + _value(x, 4) / _value(x, 6))
    return _loosely(a.low + b.low, a.high + b.high, _value(x, 7), kind, size)


def qlinear_mul(node: Node, x: Operands, kind: int) -> Quantized:
    """com.microsoft's QLinearMul."""
    a, b = _less(need(x, 0), _value(x, 2)), _less(need(x, 3), _value(x, 5))
    ends = [p * q for p in (a.low, a.high) for q in (b.low, b.high)]
    factor = _value(x, 1) * _value(x, 4) / _value(x, 6)
    low, high = np.minimum.reduce(ends) * factor, np.maximum.reduce(ends) * factor
    return _loosely(low, high, _value(x, 7), kind, 256.0)


def _scaled(a: Span, factor: Array) -> Span:
    low = a.low * factor
    return Span(low, low if a.low is a.high else a.high * factor, NO)


def qlinear_function(node: Node, x: Operands, kind: int) -> Quantized:
    """QLinearSigmoid and QLinearLeakyRelu."""
    number = _scaled(_less(need(x, 0), _value(x, 2)), _value(x, 1))
    plain = elementwise.HANDLERS[node.op.removeprefix("QLinear")](node, [number])[0]
    scale = _value(x, 3)
    return _loosely(plain.low / scale, plain.high / scale, _value(x, 4), kind, 1.0)


def qlinear_concat(node: Node, x: Operands, kind: int) -> Quantized:
    """com.microsoft's QLinearConcat."""
    scale, zero = _value(x, 0), _value(x, 1)
    lows, highs = [], []
    for index in range(2, len(x), 3):
        part = need(x, index)
        s, z = _value(x, index + 1), _value(x, index + 2)
        if s == scale and z == zero:
            found = part
        else:
            number = _scaled(_less(part, z), s / scale)
            found = _loosely(number.low, number.high, zero, kind, 0.0).span
        lows.append(found.low)
        highs.append(found.high)
    axis = int(node.get("axis"))
    span = Span(np.concatenate(lows, axis), np.concatenate(highs, axis), NO)
    return Quantized(span, np.ones(()), zero)


def qlinear_average(node: Node, x: Operands, kind: int) -> Quantized:
    """com.microsoft's QLinearAveragePool and QLinearGlobalAveragePool."""
    data = _less(need(x, 0), _value(x, 2))
    whole = Node(node.op.removeprefix("QLinear"), "", node.opset, (), (), node.attributes)
    plain = sums.HANDLERS[whole.op](whole, [data])[0]
    factor = _value(x, 1) / _value(x, 3)
    size = 256.0 * (1 + factor) + math.fabs(float(factor))
    return _loosely(plain.low * factor, plain.high * factor, _value(x, 4), kind, size)


HANDLERS: dict[str, Callable[[Node, Operands, int], Quantized]] = {
    "QLinearConv": qlinear_conv,
    "QLinearMatMul": qlinear_matmul,
    "QGemm": qgemm,
    "QLinearAdd": qlinear_add,
    "QLinearMul": qlinear_mul,
    "QLinearSigmoid": qlinear_function,
    "QLinearLeakyRelu": qlinear_function,
    "QLinearConcat": qlinear_concat,
    "QLinearAveragePool": qlinear_average,
    "QLinearGlobalAveragePool": qlinear_average,
}
"""Operators that give stored integers of a scale."""
