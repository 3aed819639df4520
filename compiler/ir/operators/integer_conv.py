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

GEOMETRY = ("strides", "dilations", "pads", "group")


def reference(node: ir.Node, b: Builder, inputs: Sequence[ir.Value]) -> list[ir.Value]:
    """ONNX's Conv where float32 holds every sum; halves of the weights, put together in float64,
    where it does not (ONNX Runtime has no Conv in float64)."""
    weights = constant(node.inputs[1])
    assert weights is not None
    geometry = {name: attribute(node, name) for name in GEOMETRY}
    x = inputs[0]
    if attribute(node, "xnor", 0):
        unequal = (1 - weights).reshape(len(weights), -1).sum(axis=1)
        y = b.op("Conv", x, b.constant(2 * weights - 1), **geometry)
        return [b.op("Add", y, b.constant(unequal.reshape(-1, *(1,) * (weights.ndim - 2))))]
    if node.outputs[0].dtype != ir.DataType.DOUBLE:
        return [b.op("Conv", x, b.constant(weights), **geometry)]
    total: ir.Value | None = None
    integers = np.rint(weights).astype(np.int64)
    for place, digits in _digits(integers):
        part = b.op("Conv", x, b.constant(digits), **geometry)
        part = b.op("Cast", part, to=ir.DataType.DOUBLE)
        part = b.op("Mul", part, b.constant(float(place), np.float64))
        total = part if total is None else b.op("Add", total, part)
    assert total is not None
    return [total]


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
