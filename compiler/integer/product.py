# SPDX-License-Identifier: Apache-2.0
"""MatMul of two computed tensors, on integers."""

from __future__ import annotations

import math

import numpy as np
import onnx_ir as ir

from qnnc.compiler.errors import Unsupported, quote
from qnnc.compiler.integer.arithmetic import bounds_of, of_two, with_constant
from qnnc.compiler.integer.bipolar import is_bipolar
from qnnc.compiler.integer.form import Form, named_result
from qnnc.compiler.integer.join import centred
from qnnc.compiler.ir.edit import Editor, shape_of
from qnnc.compiler.ir.facts import FloatArray, Integer, set_integer
from qnnc.compiler.ir.intervals import compact, product_of_two


def apply(editor: Editor, node: ir.Node, x: Form, w: Form) -> Form:
    """Insert the integer product of [..., T, K] and [..., K, M], with as many matrices in the one
    as in the other, or one matrix for all.

    Raises:
        Unsupported: shapes or scales do not fit, or zero is not among the codes of an operand.
    """
    shape, w_shape = shape_of(x.base), shape_of(w.base)
    if len(shape) < 2 or len(w_shape) < 2:
        raise Unsupported("a product with a vector; give it two dimensions, one of them 1")
    matrices = math.prod(w_shape[:-2])
    if matrices not in (1, math.prod(shape[:-2])):
        raise Unsupported(
            f"shapes {list(shape)} and {list(w_shape)}, whose leading dimensions have to be "
            "repeated; let both have the same"
        )
    operands, scales = [], []
    for form, axis, name in ((x, -1, node.inputs[0]), (w, -2, node.inputs[1])):
        base, scale = _signed(editor, node, form)
        scales.append(_outside(scale, axis, str(name.name if name else "")))
        operands.append(base)
    x_scale, w_scale = scales
    scale = x_scale * w_scale
    left, right = (bounds_of(value) for value in operands)
    found = product_of_two(left, right, shape[-1])
    inner = product_of_two(left, right, shape[-1], partial=True)
    y = of_two(editor, node, operands, "MatMul", inner, f"{node.outputs[0].name}_sum")
    set_integer(y, named_result(node, Integer.of(found.low, found.high, scale)))
    return Form(y, scale, np.zeros(()))


def _signed(editor: Editor, node: ir.Node, form: Form) -> tuple[ir.Value, FloatArray]:
    """Integers that are the values but for a scale, and that scale: codes of -1 and +1 too."""
    if is_bipolar(form):
        doubled = with_constant(editor, node, form.base, "Mul", np.asarray(2))
        return with_constant(editor, node, doubled, "Add", np.asarray(-1)), form.scale / 2
    return centred(editor, node, form)


def _outside(scale: FloatArray, axis: int, name: str) -> FloatArray:
    """A scale that is the same along the summed axis, as it broadcasts against the result."""
    found: FloatArray = compact(scale)
    if found.ndim < -axis or found.shape[axis] == 1:
        return found
    raise Unsupported(
        f"tensor {quote(name)} has scales that differ along the summed axis; quantize it per tensor"
    )
