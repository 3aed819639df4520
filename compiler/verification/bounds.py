# SPDX-License-Identifier: Apache-2.0
"""How far float32 may round a sum of the golden graph."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from qnnc.compiler.dataflow import Role, declaration, is_dataflow, role_of
from qnnc.compiler.ir.edit import attribute, constant, shape_of
from qnnc.compiler.ir.facts import Integer, integer
from qnnc.compiler.ir.layouts import OPERATORS as LAYOUTS
from qnnc.compiler.verification.compare import FLOAT32_EPSILON

PRODUCTS = frozenset({"MatMul", "XnorPopcountMatMul", "IntegerConv"})
"""Integer operators that are products with weights."""
SUMS = frozenset({"Add", *LAYOUTS})
"""Operators whose results are made of sums."""
POOLS = frozenset({"MaxPool", "GlobalMaxPool", "SumPool", "AveragePool", "GlobalAveragePool"})
"""Operators that have a window without weights."""


def rounding_bound(value: ir.Value, fact: Integer) -> NDArray[np.float64]:
    """Largest error of summing K terms in float32, in any order: (K + 2) u sum|x w|, with u half
    of float32's epsilon; the offset of x and the rounding of scales are counted in.

    Returns:
        An array that broadcasts against the tensor.
    """
    terms, magnitude = _summed(value, fact)
    if np.any(fact.offset):
        magnitude = magnitude + terms  # codes that stand for values around zero
    bound: NDArray[np.float64] = magnitude * np.abs(fact.scale) * (terms + 8) * FLOAT32_EPSILON
    return bound


def _summed(value: ir.Value, fact: Integer) -> tuple[int, NDArray[np.float64]]:
    """How many terms a sum has, and the sum of their largest magnitudes."""
    node = value.producer()
    reach = np.maximum(np.abs(fact.low), np.abs(fact.high)) + (fact.high - fact.low)
    if node is None:
        return 1, reach.astype(np.float64)
    x = node.inputs[0] if node.inputs else None
    operand = integer(x) if x is not None else None
    weights = constant(node.inputs[1]) if len(node.inputs) > 1 else None
    role = role_of(node)
    if role is Role.DYNAMIC_PRODUCT or (node.op_type == "MatMul" and weights is None):
        return _of_two(node)
    if node.op_type in SUMS or role in (Role.SUM, Role.JOIN):
        return _added(node, reach.astype(np.float64))
    if operand is not None and weights is not None and x is not None and _multiplies(node):
        terms, magnitude = _summed(x, operand)
        return terms, np.broadcast_to(magnitude.max() * np.abs(weights).max(), ())
    first = node.op_type == "IntegerConv" or role is Role.CHANNEL_PRODUCT  # outputs, then inputs
    is_product = first or node.op_type in PRODUCTS or role is Role.PRODUCT
    if not is_product or operand is None or weights is None:
        return _terms(node), reach.astype(np.float64)
    largest = float(max(abs(int(operand.low.min())), abs(int(operand.high.max()))))
    # the golden graph sums values with their offset, even where the offsets cancel out
    scale = np.where(operand.scale == 0, 1, operand.scale)
    largest += float(np.abs(operand.offset / scale).max())
    per_output = (
        np.abs(weights).reshape(len(weights), -1).sum(axis=1)
        if first
        else (np.abs(weights).sum(axis=0))
    )
    per_output = per_output.astype(np.float64) * largest
    if node.op_type == "IntegerConv":
        per_output = per_output.reshape(-1, *(1,) * (len(shape_of(value)) - 2))
    return weights.size // (len(weights) if first else weights.shape[-1]), per_output


def _of_two(node: ir.Node) -> tuple[int, NDArray[np.float64]]:
    """Terms and magnitude of a product of two computed tensors: both vary."""
    found = []
    for value in node.inputs[:2]:
        source = _narrow(value)
        fact = integer(source)
        assert fact is not None
        found.append(float(max(abs(int(fact.low.min())), abs(int(fact.high.max())))))
    x = node.inputs[0]
    assert x is not None
    terms = shape_of(x)[-1]
    return terms, np.asarray(found[0] * found[1] * terms)


def _narrow(value: ir.Value | None) -> ir.Value:
    """An integer tensor before it was made wide."""
    assert value is not None
    producer = value.producer()
    if integer(value) is None and producer is not None and producer.op_type == "Cast":
        return _narrow(producer.inputs[0])
    return value


def _multiplies(node: ir.Node) -> bool:
    """A product of elements, also as a dataflow node."""
    if not is_dataflow(node):
        return node.op_type == "Mul"
    return getattr(declaration(node), "onnx_op", "") == "Mul"


def _added(node: ir.Node, reach: NDArray[np.float64]) -> tuple[int, NDArray[np.float64]]:
    """Terms and magnitudes of what is made of sums, which may cancel each other out."""
    terms, magnitude = 1, reach
    for value in node.inputs:
        fact = integer(value) if value is not None else None
        if value is not None and fact is not None and constant(value) is None:
            count, inner = _summed(value, fact)
            terms, magnitude = terms + count, magnitude + np.broadcast_to(inner.max(), ())
    return terms, magnitude


def _is_pool(node: ir.Node) -> bool:
    return role_of(node) is Role.POOL or node.op_type in POOLS


def _terms(node: ir.Node) -> int:
    """Terms of a sum without weights: the window of a pool, or the two of an addition."""
    source = node.inputs[0]
    if source is None or not _is_pool(node):
        return 2
    kernel = attribute(node, "kernel_shape", attribute(node, "KernelSize"))
    if kernel is not None:
        return int(np.prod(kernel))
    return int(np.prod(shape_of(source)) // np.prod(shape_of(node.outputs[0])))
