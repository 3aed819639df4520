# SPDX-License-Identifier: Apache-2.0
"""Operators with constants that only change scale and offset: Add, Sub, Mul, Div,
BatchNormalization, Dequantize."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from qnnc.compiler.errors import Unsupported
from qnnc.compiler.integer.form import Form
from qnnc.compiler.ir.edit import attribute, constant
from qnnc.compiler.ir.facts import FloatArray

OPERATORS = frozenset({"Add", "Sub", "Mul", "Div", "BatchNormalization"})


def apply(node: ir.Node, form: Form, index: int) -> Form:
    """The form of the output, where input `index` has a form and all others are constants.

    Raises:
        Unsupported: the result is not affine in the integer.
    """
    if node.op_type == "BatchNormalization":
        factor, addend = batch_norm(node)
        return _form(form, form.scale * factor, form.offset * factor + addend)
    other = np.asarray(constant(node.inputs[1 - index]), dtype=np.float64)
    if node.op_type == "Add":
        return _form(form, form.scale, form.offset + other)
    if node.op_type == "Sub":
        if index == 1:
            return _form(form, -form.scale, other - form.offset)
        return _form(form, form.scale, form.offset - other)
    if node.op_type == "Mul":
        return _form(form, form.scale * other, form.offset * other)
    if index == 1:
        raise Unsupported("division by a quantized tensor")
    if np.any(other == 0):
        raise Unsupported("division by zero")
    return _form(form, form.scale / other, form.offset / other)


def _form(form: Form, scale: FloatArray, offset: FloatArray) -> Form:
    if not (np.all(np.isfinite(scale)) and np.all(np.isfinite(offset))):
        raise Unsupported("a scale or bias that is not finite")
    return Form(form.base, scale, offset)


def batch_norm(node: ir.Node) -> tuple[FloatArray, FloatArray]:
    """Factor and addend of a BatchNormalization, shaped [C, 1, …] to meet axis 1 of its input."""
    arrays = [constant(value) for value in node.inputs[1:5]]
    if any(array is None for array in arrays):
        raise Unsupported("a BatchNormalization whose parameters are not constant")
    gamma, beta, mean, variance = (np.asarray(a, dtype=np.float64) for a in arrays)
    factor = gamma / np.sqrt(variance + float(attribute(node, "epsilon", 1e-5)))
    source = node.inputs[0]
    rank = source.shape.rank() if source is not None and source.shape is not None else 2
    shape = (-1, *(1,) * (rank - 2))
    return factor.reshape(shape), (beta - mean * factor).reshape(shape)
