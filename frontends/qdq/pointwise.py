# SPDX-License-Identifier: Apache-2.0
"""com.microsoft's QLinearAdd, QLinearMul, QLinearSigmoid, QLinearLeakyRelu and QLinearConcat."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from numpy.typing import ArrayLike

from qnnc.compiler.ir.edit import attribute
from qnnc.frontends.qdq.importer import Importer
from qnnc.frontends.qdq.integers import RANGES, Affine, FloatArray
from qnnc.frontends.qdq.parameters import Parameters


def qlinear_add(importer: Importer, node: ir.Node) -> None:
    """y = round(z + b B + a A) with A = a scale / y scale, B likewise, z gathering the zero
    points; on x86 ONNX Runtime fuses each product with its addition.

    Written as dequantize, add, quantize where that gives the same y for all pairs of integers,
    and with products in float64, rounded once to float32 with the sum, where it does not.
    """
    parameters, w = Parameters(node), importer.writer(node)
    a, b = parameters.data(0, "first input"), parameters.data(3, "second input")
    x, z, y = parameters.affine(1, 2), parameters.affine(4, 5), parameters.affine(6, 7)
    add = _Add(x, z, y)
    if add.plain_is_exact():
        numbers = [
            w.op("Mul", importer.codes(w, value, affine), w.constant(affine.scale))
            for value, affine in ((a, x), (b, z))
        ]
        q = w.quantize(w.op("Add", *numbers), y, codes=True)
    else:
        total = w.constant(add.fixed)
        for value, ratio in ((b, add.second), (a, add.first)):
            stored = importer.less(w, importer.integer(w, value), 0)
            product = w.op(
                "Mul",
                w.op("Cast", stored, to=ir.DataType.DOUBLE),
                w.constant(ratio, np.float64),
            )
            wide = w.op("Add", product, w.op("Cast", total, to=ir.DataType.DOUBLE))
            total = w.op("Cast", wide, to=ir.DataType.FLOAT)
        q = w.quantize(total, y.codes(), order="included", codes=True)
    importer.keep(node.outputs[0], q, int(y.zero), y.dtype)


class _Add:
    """QLinearAdd of one element, in numpy, for all pairs of 8-bit integers."""

    def __init__(self, a: Affine, b: Affine, y: Affine) -> None:
        self.a, self.b, self.y = a, b, y
        self.first = np.float32(a.scale / y.scale)
        self.second = np.float32(b.scale / y.scale)
        zeros = [np.float32(affine.zero) for affine in (a, b, y)]
        inner = _fused(self.first, zeros[0], np.float32(self.second * zeros[1]))
        self.fixed = np.float32(zeros[2] - inner)

    def plain_is_exact(self) -> bool:
        """Adding the dequantized numbers gives the same."""
        low, high = RANGES[self.y.dtype]
        stored = np.arange(low, high + 1)
        a, b = stored[:, None].astype(np.float32), stored[None, :].astype(np.float32)
        total = _fused(a, self.first, _fused(b, self.second, self.fixed))
        kernel = np.clip(np.rint(total), low, high)
        numbers = (a - np.float32(self.a.zero)) * self.a.scale
        numbers = numbers + (b - np.float32(self.b.zero)) * self.b.scale
        plain = np.clip(np.rint(numbers / self.y.scale) + self.y.zero, low, high)
        return bool(np.array_equal(kernel, plain))


def _fused(a: ArrayLike, b: ArrayLike, c: ArrayLike) -> FloatArray:
    """a b + c rounded once; 8-bit integers times float32 are exact in float64."""
    wide = np.asarray(a, np.float64) * np.asarray(b, np.float64) + np.asarray(c, np.float64)
    return np.asarray(wide, np.float32)


def qlinear_mul(importer: Importer, node: ir.Node) -> None:
    """y = round(a b (a scale * b scale / y scale) + zero point)."""
    parameters, w = Parameters(node), importer.writer(node)
    a, b = parameters.data(0, "first input"), parameters.data(3, "second input")
    x, z, y = parameters.affine(1, 2), parameters.affine(4, 5), parameters.affine(6, 7)
    product = w.op("Mul", importer.codes(w, a, x), importer.codes(w, b, z))
    ratio = np.float32(np.float32(x.scale * z.scale) / y.scale)
    scaled = w.op("Mul", product, w.constant(ratio))
    q = w.quantize(scaled, y.codes(), order="before", codes=True)
    importer.keep(node.outputs[0], q, int(y.zero), y.dtype)


def qlinear_function(importer: Importer, node: ir.Node) -> None:
    """QLinearSigmoid, QLinearLeakyRelu: dequantize, apply, quantize (ONNX Runtime makes a table
    that way)."""
    parameters, w = Parameters(node), importer.writer(node)
    x, y = parameters.affine(1, 2), parameters.affine(3, 4)
    codes = importer.codes(w, parameters.data(0, "input"), x)
    numbers = w.op("Mul", codes, w.constant(x.scale))
    applied = w.standard(node.op_type.removeprefix("QLinear"), node, numbers)
    importer.keep(node.outputs[0], w.quantize(applied, y, codes=True), int(y.zero), y.dtype)


def qlinear_concat(importer: Importer, node: ir.Node) -> None:
    """Inputs: scale and zero point of y, then tensor, scale and zero point of each part; parts
    of another scale are quantized again."""
    parameters, w = Parameters(node), importer.writer(node)
    y = parameters.affine(0, 1)
    parts = []
    for index in range(2, len(node.inputs), 3):
        x = parameters.affine(index + 1, index + 2)
        codes = importer.codes(w, parameters.data(index, "input"), x)
        if not x.same(y):
            numbers = w.op("Mul", codes, w.constant(x.scale))
            codes = w.quantize(numbers, y, codes=True)
        parts.append(codes)
    joined = w.op("Concat", *parts, axis=attribute(node, "axis"))
    importer.keep(node.outputs[0], joined, int(y.zero), y.dtype)
