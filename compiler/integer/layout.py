# SPDX-License-Identifier: Apache-2.0
"""Operators that only move elements: Reshape, Flatten, Squeeze, Unsqueeze, Transpose."""

from __future__ import annotations

import math
from typing import TypeVar

import numpy as np
import onnx_ir as ir

from qnnc.compiler.integer.form import Form, Unsupported
from qnnc.compiler.ir.edit import Editor, attribute, shape_of
from qnnc.compiler.ir.facts import FloatArray, IntArray, Integer, set_integer
from qnnc.compiler.ir.layouts import OPERATORS as OPERATORS

Numbers = TypeVar("Numbers", FloatArray, IntArray)


def apply(editor: Editor, node: ir.Node, form: Form) -> Form:
    """Move the integers as the operator moves the values.

    Raises:
        Unsupported: scale or offset differ along an axis that a reshape breaks up.
    """
    source = node.inputs[0]
    assert source is not None
    shape, out_shape = shape_of(source), shape_of(node.outputs[0])

    def moved(array: Numbers) -> Numbers:
        if array.size == 1:
            return array.reshape(())
        if node.op_type == "Transpose":
            full = array.reshape((1,) * (len(shape) - array.ndim) + array.shape)
            return full.transpose(attribute(node, "perm", list(range(len(shape)))[::-1]))
        return _reshaped(array, shape, out_shape)

    fact = arranged(node, form.fact, shape)
    values = form.constant
    if values is not None:
        if node.op_type == "Transpose":
            result = values.transpose(attribute(node, "perm", list(range(len(shape)))[::-1]))
        else:
            result = values.reshape(out_shape)
        base = editor.initializer(f"{form.base.name}_moved", result.astype(np.float32))
    else:
        base = editor.insert(
            node,
            node.op_type,
            [form.base, *node.inputs[1:]],
            f"{form.base.name}_moved",
            attributes={name: a.value for name, a in node.attributes.items()},
            shape=out_shape,
            dtype=form.base.dtype or ir.DataType.FLOAT,
            origins=(node,),
        )
    set_integer(
        base,
        fact.with_(
            low=moved(fact.low),
            high=moved(fact.high),
            scale=moved(fact.scale),
            offset=moved(fact.offset),
        ),
    )
    return Form(base, moved(form.scale), moved(form.offset))


def arranged(node: ir.Node, fact: Integer, shape: tuple[int, ...]) -> Integer:
    """A fact behind a layout operator: a Transpose has the golden tensor's elements in another
    order."""
    if node.op_type != "Transpose" or fact.golden is None:
        return fact
    numbers = np.arange(math.prod(shape)) if fact.order is None else fact.order
    perm = attribute(node, "perm", list(range(len(shape)))[::-1])
    return fact.with_(order=numbers.reshape(shape).transpose(perm).reshape(-1))


def _reshaped(array: Numbers, shape: tuple[int, ...], out_shape: tuple[int, ...]) -> Numbers:
    """An array that broadcasts against `shape`, made to broadcast against `out_shape`."""
    full = np.broadcast_to(array, shape).reshape(out_shape)
    for axis in range(len(out_shape)):
        first = full.take([0], axis=axis)
        if np.array_equal(np.broadcast_to(first, full.shape), full):
            full = first
    if full.size > 1 << 20:
        raise Unsupported("a scale for every element of a large tensor")
    return full  # pyright: ignore[reportReturnType]
