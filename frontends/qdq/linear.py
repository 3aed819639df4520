# SPDX-License-Identifier: Apache-2.0
"""Integer MatMul, Gemm and Conv: a sum of integers, then one multiplication and a rounding.

ONNX Runtime computes the sum in int32, converts it to float32 and multiplies it by
float32(float32(x scale * w scale) / y scale); QuantizeLinear's rounding follows. The same is
written here in float32: integers below 2**24 are exact in it.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from qnnc.compiler.ir.edit import attribute, constant, replace_value
from qnnc.frontends.qdq.importer import Importer
from qnnc.frontends.qdq.integers import INT32, Affine, FloatArray, Writer, along
from qnnc.frontends.qdq.parameters import Parameters, before_identity

ONE = np.ones((), np.float32)


def qlinear_matmul(importer: Importer, node: ir.Node) -> None:
    """QLinearMatMul: a, its scale and zero point, the same of b, scale and zero point of y."""
    parameters, w = Parameters(node), importer.writer(node)
    a, b = parameters.data(0, "input"), parameters.data(3, "weights")
    a_affine, y_affine = parameters.affine(1, 2), parameters.affine(6, 7)
    b_affine = _columns(parameters, b, 4, 5)
    total = w.op("MatMul", importer.codes(w, a, a_affine), importer.codes(w, b, b_affine))
    _requantize(importer, w, node, total, _factor(a_affine, b_affine, y_affine), y_affine)


def qgemm(importer: Importer, node: ir.Node) -> None:
    """com.microsoft's QGemm: as QLinearMatMul, with transposition, int32 bias, and floats as
    output where y has no scale."""
    parameters, w = Parameters(node), importer.writer(node)
    a, b = parameters.data(0, "input"), parameters.data(3, "weights")
    a_affine = parameters.affine(1, 2)
    x = importer.codes(w, a, a_affine)
    if attribute(node, "transA", 0):
        x = w.op("Transpose", x, perm=[1, 0])
    columns = 0 if attribute(node, "transB", 0) else 1
    b_affine = _columns(parameters, b, 4, 5, columns)
    weights = importer.codes(w, b, b_affine)
    if columns == 0:
        weights = w.op("Transpose", weights, perm=[1, 0])
    total = w.op("MatMul", x, weights)
    if parameters.value(6) is not None:
        total = w.op("Add", total, w.constant(parameters.integers(6, "bias")))
    alpha = np.float32(attribute(node, "alpha", 1.0))
    first = Affine(np.asarray(alpha * a_affine.scale, np.float32), a_affine.zero, a_affine.dtype)
    per_column = Affine(b_affine.scale.reshape(-1), b_affine.zero, b_affine.dtype)
    if parameters.value(7) is None:
        factor = _factor(first, per_column, None)
        y = w.op("Mul", total, w.constant(factor))
        y.shape = node.outputs[0].shape
        replace_value(node.outputs[0], y)
        return
    y_affine = parameters.affine(7, 8)
    _requantize(importer, w, node, total, _factor(first, per_column, y_affine), y_affine)


def qlinear_conv(importer: Importer, node: ir.Node) -> None:
    """QLinearConv: x, its scale and zero point, the same of w, of y, and an int32 bias."""
    parameters, w = Parameters(node), importer.writer(node)
    if attribute(node, "channels_last", 0):
        raise parameters.error(0, "input", "has its channels last; quantize the original model")
    x, kernel = parameters.data(0, "input"), parameters.data(3, "weights")
    x_affine, y_affine = parameters.affine(1, 2), parameters.affine(6, 7)
    shape = parameters.array(3, "weights").shape
    w_affine = parameters.affine_along(4, 5, 0, shape, _dtype(kernel))
    inputs = [importer.codes(w, x, x_affine), importer.codes(w, kernel, w_affine)]
    if parameters.value(8) is not None:
        inputs.append(w.constant(parameters.integers(8, "bias").astype(np.float32)))
    total = w.standard("Conv", node, *inputs, drop=("channels_last",))
    factor = _factor(x_affine, w_affine, y_affine)
    if factor.size > 1:
        factor = along(factor, 1, len(shape))
    _requantize(importer, w, node, total, factor, y_affine)


def matmul_integer(importer: Importer, node: ir.Node) -> None:
    """MatMulInteger: a, b, and their zero points; int32."""
    parameters, w = Parameters(node), importer.writer(node)
    a, b = parameters.data(0, "input"), parameters.data(1, "weights")
    x = importer.codes(w, a, _zero_only(parameters, a, 2))
    weights = importer.codes(w, b, _zero_only(parameters, b, 3, columns=True))
    importer.keep(node.outputs[0], w.op("MatMul", x, weights), 0, INT32)


def conv_integer(importer: Importer, node: ir.Node) -> None:
    """ConvInteger: x, w, and their zero points; int32."""
    parameters, w = Parameters(node), importer.writer(node)
    x, kernel = parameters.data(0, "input"), parameters.data(1, "weights")
    inputs = [
        importer.codes(w, x, _zero_only(parameters, x, 2)),
        importer.codes(w, kernel, _zero_only(parameters, kernel, 3)),
    ]
    importer.keep(node.outputs[0], w.standard("Conv", node, *inputs), 0, INT32)


def _dtype(value: ir.Value) -> ir.DataType:
    return value.dtype or ir.DataType.INT8


def _columns(parameters: Parameters, b: ir.Value, scale: int, zero: int, axis: int = -1) -> Affine:
    """Scale and zero point of a matrix: one, or one per column."""
    array = constant(before_identity(b))
    if array is None or array.ndim < 2:
        return parameters.affine(scale, zero)
    return parameters.affine_along(scale, zero, axis % array.ndim, array.shape, _dtype(b))


def _zero_only(
    parameters: Parameters, value: ir.Value, index: int, *, columns: bool = False
) -> Affine:
    zero, kind = parameters.zero(index)
    array = constant(before_identity(value))
    if zero.size == 1:
        zero = zero.reshape(())
    elif array is None or not columns or zero.shape[-1:] != array.shape[-1:]:
        raise parameters.error(index, "zero point", "must be one number for the whole tensor")
    return Affine(ONE, zero, kind or _dtype(value))


def _factor(a: Affine, b: Affine, y: Affine | None) -> FloatArray:
    """From the sum of integers to y's: each step rounded to float32, as ONNX Runtime does."""
    product = np.asarray(a.scale * b.scale, np.float32)
    return product if y is None else np.asarray(product / y.scale, np.float32)


def _requantize(
    importer: Importer,
    w: Writer,
    node: ir.Node,
    total: ir.Value,
    factor: FloatArray,
    y: Affine,
) -> None:
    scaled = w.op("Mul", total, w.constant(factor))
    q = w.quantize(scaled, y.codes(), codes=True)
    importer.keep(node.outputs[0], q, int(y.zero), y.dtype)
