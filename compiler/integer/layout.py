# SPDX-License-Identifier: Apache-2.0
"""Operators that only move elements: Reshape, Flatten, Squeeze, Unsqueeze, Transpose."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from qnnc.compiler.errors import Unsupported
from qnnc.compiler.integer.form import Form
from qnnc.compiler.ir.edit import Editor, attribute, shape_of
from qnnc.compiler.ir.facts import FloatArray, Integer, set_integer
from qnnc.compiler.ir.intervals import Interval, compact, interval_of, moved
from qnnc.compiler.ir.layouts import OPERATORS as OPERATORS

MOST_SCALES = 1 << 20
"""Different scales of a tensor at most."""


def apply(editor: Editor, node: ir.Node, form: Form) -> Form:
    """Move the integers as the operator moves the values.

    Raises:
        Unsupported: scale or offset differ along an axis that a reshape breaks up.
    """
    source = node.inputs[0]
    assert source is not None
    shape, out_shape = shape_of(source), shape_of(node.outputs[0])

    perm = attribute(node, "perm", list(range(len(shape)))[::-1])

    def move(array: NDArray[Any]) -> NDArray[Any]:
        return array.transpose(perm) if node.op_type == "Transpose" else array.reshape(out_shape)

    def parameter(array: FloatArray) -> FloatArray:
        if array.size == 1:
            return array.reshape(())
        if node.op_type == "Transpose":
            return _of_rank(array, len(shape)).transpose(perm)
        return _reshaped(array, shape, out_shape)

    bounds = interval_of(form.fact)
    if node.op_type == "Transpose":
        low, high = (_of_rank(a, len(shape)).transpose(perm) for a in (bounds.low, bounds.high))
        bounds = Interval.of(low, high)
    else:
        bounds = moved(bounds, shape, move)
    fact = arranged(node, form.fact, shape)
    values = form.constant
    if values is not None:
        base = editor.initializer(f"{form.base.name}_moved", move(values).astype(np.float32))
    else:
        base = editor.copy(
            node,
            node,
            [form.base, *node.inputs[1:]],
            f"{form.base.name}_moved",
            dtype=form.base.dtype or ir.DataType.FLOAT,
        )
    set_integer(
        base,
        fact.with_(
            low=bounds.low,
            high=bounds.high,
            scale=parameter(fact.scale),
            offset=parameter(fact.offset),
        ),
    )
    return Form(base, parameter(form.scale), parameter(form.offset))


def arranged(node: ir.Node, fact: Integer, shape: tuple[int, ...]) -> Integer:
    """A fact after a layout operator: a Transpose has the golden tensor's elements in another
    order."""
    if node.op_type != "Transpose" or fact.golden is None:
        return fact
    numbers = np.arange(math.prod(shape)) if fact.order is None else fact.order
    perm = attribute(node, "perm", list(range(len(shape)))[::-1])
    return fact.with_(order=numbers.reshape(shape).transpose(perm).ravel())


def _of_rank(array: NDArray[Any], rank: int) -> NDArray[Any]:
    """An array that broadcasts against a tensor, with as many dimensions as that has."""
    return array.reshape((1,) * (rank - array.ndim) + array.shape)


def _reshaped(array: FloatArray, shape: tuple[int, ...], out_shape: tuple[int, ...]) -> FloatArray:
    """An array that broadcasts against `shape`, made to broadcast against `out_shape`."""
    found = compact(np.broadcast_to(array, shape).reshape(out_shape))
    if found.size > MOST_SCALES:
        raise Unsupported("a scale for every element of a large tensor")
    return _of_rank(found, len(out_shape))
