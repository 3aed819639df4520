# SPDX-License-Identifier: Apache-2.0
"""Finding the tail before a TopK: affine operators, then functions that keep the order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from qnnc.compiler.errors import Unsupported, quote
from qnnc.compiler.integer import affine
from qnnc.compiler.integer.form import Form, own_form
from qnnc.compiler.ir.edit import QNNC, attribute, constant, shape_of
from qnnc.compiler.ir.facts import FloatArray, integer
from qnnc.compiler.tails.curves import curve

RISING = frozenset(
    {
        "Tanh",
        "Sigmoid",
        "Exp",
        "Softplus",
        "Softsign",
        "Erf",
        "Identity",
        "Cast",
        "LeakyRelu",
        "Elu",
    }
)
"""Functions, the same for all scores, that rise everywhere as long as their curve does not fall.
Where float32 makes one flat (a saturated sigmoid), scores that tie there are distinguished by the
integers. A Relu is not among them: all that it makes zero ties for good."""


@dataclass(frozen=True)
class ScoreTail:
    """score = rising function of (anchor * scale + offset), the function common to all scores.

    Attributes:
        anchor: the integer tensor, [1, classes] (or [1, …, classes]).
        scale: one per class, or one for all.
        offset: one per class, or one for all.
        classes: scores.
    """

    anchor: ir.Value
    scale: FloatArray
    offset: FloatArray
    classes: int


def collect_scores(scores: ir.Value) -> ScoreTail:
    """The tail that ends in `scores`.

    Raises:
        Unsupported: it has an operator that may change the order, or starts from no integer.
    """
    shape = shape_of(scores)
    chain: list[ir.Node] = []
    value = scores
    while integer(value) is None:
        node = value.producer()
        if node is None:
            raise Unsupported(f"its input {quote(value.name)} is not quantized")
        computed = [v for v in node.inputs if v is not None and constant(v) is None]
        if len(computed) != 1 or node.domain not in ("", QNNC):
            raise Unsupported(f"{node.op_type} node {quote(node.name)} mixes several tensors")
        chain.append(node)
        value = computed[0]
    form = own_form(value)
    assert form is not None
    rising = False
    for node in reversed(chain):
        if _keeps_order(node, len(shape)):
            rising = True
        elif rising:
            raise Unsupported(f"{node.op_type} node {quote(node.name)} after a nonlinear function")
        else:
            form = _affine(node, form)
    if shape_of(value)[-1] != shape[-1]:
        raise Unsupported("the scores are reshaped on their way")
    return ScoreTail(
        value, _per_class(form.scale, shape[-1]), _per_class(form.offset, shape[-1]), shape[-1]
    )


def _keeps_order(node: ir.Node, rank: int) -> bool:
    if node.op_type in ("Softmax", "LogSoftmax"):
        return attribute(node, "axis", -1) in (-1, rank - 1)
    found = curve(node) if node.op_type in RISING else None
    flat = node.op_type in ("LeakyRelu", "Elu") and attribute(node, "alpha", 1.0) == 0
    return found is not None and found.never_falls and not flat


def _affine(node: ir.Node, form: Form) -> Form:
    if node.op_type == "Dequantize":
        scale, offset = (np.asarray(constant(v), dtype=np.float64) for v in node.inputs[1:3])
        return Form(form.base, form.scale * scale, form.offset * scale + offset)
    if node.op_type not in affine.OPERATORS:
        raise Unsupported(f"{node.op_type} node {quote(node.name)} may change their order")
    index = next(i for i, v in enumerate(node.inputs) if constant(v) is None)
    return affine.apply(node, form, index)


def _per_class(array: FloatArray, classes: int) -> FloatArray:
    if array.size == 1:
        return array.reshape(1)
    if array.size != classes or array.shape[-1] != classes:
        raise Unsupported("scale or bias differ along other axes than the classes")
    return array.ravel()
