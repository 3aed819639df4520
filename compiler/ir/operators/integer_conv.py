# SPDX-License-Identifier: Apache-2.0
"""IntegerConv: a convolution of integers, exact for any width, also in XNOR form.

Inputs x [N, C, H, W] and weights [M, C / groups, KH, KW] (constant); attributes as of ONNX's
Conv, all explicit and two-dimensional or one-dimensional. With `xnor`, both operands are 0/1
codes of -1/+1 and the output counts the equal pairs.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from qnnc.compiler.ir.builder import Builder
from qnnc.compiler.ir.edit import attribute, constant
from qnnc.compiler.ir.facts import integer

GEOMETRY = ("strides", "dilations", "pads", "group")
EXACT = (1 << 24) - 1
"""The largest integer up to which float32 holds all."""


def reference(node: ir.Node, b: Builder, inputs: Sequence[ir.Value]) -> list[ir.Value]:
    """ONNX's Conv where float32 holds every sum; digits of the weights, and of the input if need
    be, put together in float64, where it does not (ONNX Runtime has no Conv in float64)."""
    weights = constant(node.inputs[1])
    assert weights is not None
    geometry = {name: attribute(node, name) for name in GEOMETRY}
    x = inputs[0]
    if attribute(node, "xnor", 0):
        unequal = (1 - weights).reshape(len(weights), -1).sum(axis=1)
        y = b.op("Conv", x, b.constant(2 * weights - 1), **geometry)
        return [b.op("Add", y, b.constant(unequal.reshape(-1, *(1,) * (weights.ndim - 2))))]
    source, double = node.inputs[0], ir.DataType.DOUBLE
    if node.outputs[0].dtype != double and (source is None or source.dtype != double):
        return [b.op("Conv", x, b.constant(weights), **geometry)]
    total: ir.Value | None = None
    fact = None if source is None else integer(source)
    largest = 1 << 32 if fact is None else max(-int(fact.low.min()), int(fact.high.max()))
    for place, digits in _digits(np.rint(weights).astype(np.int64)):
        taps = int(np.abs(digits).reshape(len(digits), -1).sum(axis=1).max(initial=1))
        for shift, share in _shares(
            b, x, largest, max(1, (EXACT // max(1, taps)).bit_length() - 1)
        ):
            part = b.op("Conv", share, b.constant(digits), **geometry)
            part = b.op("Cast", part, to=double)
            part = b.op("Mul", part, b.constant(float(place << shift), np.float64))
            total = part if total is None else b.op("Add", total, part)
    assert total is not None
    if node.outputs[0].dtype != double:
        total = b.op("Cast", total, to=ir.DataType.FLOAT)
    return [total]


def _shares(b: Builder, x: ir.Value, largest: int, bits: int) -> list[tuple[int, ir.Value]]:
    """Tensors in float32 and shifts: x is the sum of the shifted tensors, each of which is at most
    2**bits."""
    rest = b.op("Cast", x, to=ir.DataType.DOUBLE)
    shares, shift = [], 0
    while largest > 1 << bits:
        above = b.op("Floor", b.op("Mul", rest, b.constant(2.0**-bits, np.float64)))
        below = b.op("Sub", rest, b.op("Mul", above, b.constant(2.0**bits, np.float64)))
        shares.append((shift, b.op("Cast", below, to=ir.DataType.FLOAT)))
        rest, shift, largest = above, shift + bits, (largest >> bits) + 1
    shares.append((shift, b.op("Cast", rest, to=ir.DataType.FLOAT)))
    return shares


def _digits(
    weights: np.ndarray[tuple[int, ...], np.dtype[np.int64]],
) -> list[tuple[int, np.ndarray[tuple[int, ...], np.dtype[np.int64]]]]:
    """Weights as a sum of small digits times places, so that sums of each stay below 2**24."""
    result, rest, place = [], weights, 1
    while True:
        low = (rest + 2) % 4 - 2
        result.append((place, low))
        rest = (rest - low) // 4
        place *= 4
        if not np.any(rest):
            return result
