# SPDX-License-Identifier: Apache-2.0
"""Add and Mul of integer tensors, in tensors that carry every result exactly."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from qnnc.compiler.datatypes import carrier, smallest_type
from qnnc.compiler.errors import Unsupported
from qnnc.compiler.ir import intervals
from qnnc.compiler.ir.edit import Editor, shape_of
from qnnc.compiler.ir.facts import IntArray, Integer, integer, set_integer
from qnnc.compiler.ir.intervals import Interval, interval_of


def bounds_of(value: ir.Value) -> Interval:
    """The interval of an integer tensor."""
    fact = integer(value)
    if fact is None:
        raise ValueError(f"{value.name} is not an integer tensor")
    return interval_of(fact)


def with_constant(
    editor: Editor,
    node: ir.Node,
    x: ir.Value,
    op: str,
    number: IntArray,
    origins: Sequence[ir.Node] | None = None,
) -> ir.Value:
    """x plus or times constants that broadcast against it, as a tensor of its own.

    Args:
        node: the new node is inserted before it.
        op: "Add" or "Mul".
        origins: what the new node does; `node` by default.

    Raises:
        Unsupported: the result has more elements than x, or is too wide.
    """
    shape = shape_of(x)
    if np.broadcast_shapes(number.shape, shape) != shape:
        raise Unsupported("its inputs have scales that differ along axes that only one of them has")
    bounds = bounds_of(x)
    found = intervals.scaled(bounds, number) if op == "Mul" else intervals.shifted(bounds, number)
    largest = max(found.magnitude, int(np.abs(number).max(initial=0)))
    dtype = carrier(smallest_type(-largest - 1, largest))
    if dtype == np.float64 or x.dtype == ir.DataType.DOUBLE:
        x, dtype = widened(editor, node, x), np.float64
    operand = editor.initializer(f"{x.name}_{op}_constant", number.astype(dtype))
    set_integer(operand, Integer.of(number.min(), number.max()))
    y = editor.insert(
        node,
        op,
        [x, operand],
        f"{x.name}_{op}",
        shape=shape,
        dtype=x.dtype or ir.DataType.FLOAT,
        origins=(node,) if origins is None else origins,
    )
    set_integer(y, Integer.of(found.low, found.high))
    return y


def of_two(
    editor: Editor,
    node: ir.Node,
    operands: Sequence[ir.Value],
    op: str,
    found: Interval,
    name: str,
    origins: Sequence[ir.Node] | None = None,
) -> ir.Value:
    """The sum or product of two integer tensors, whose interval is known, without a fact.

    Args:
        node: the new node is inserted before it, and has its output's shape.
    """
    narrow = carrier(smallest_type(found.least, found.greatest)) == np.float32
    if not narrow or any(value.dtype == ir.DataType.DOUBLE for value in operands):
        operands = [widened(editor, node, value) for value in operands]
    return editor.insert(
        node,
        op,
        operands,
        name,
        shape=shape_of(node.outputs[0]),
        dtype=operands[0].dtype or ir.DataType.FLOAT,
        origins=(node,) if origins is None else origins,
    )


def widened(editor: Editor, node: ir.Node, x: ir.Value) -> ir.Value:
    """An integer tensor in float64, which has no hardware: who lowers looks through it."""
    if x.dtype == ir.DataType.DOUBLE:
        return x
    return editor.insert(
        node,
        "Cast",
        [x],
        f"{x.name}_wide",
        shape=shape_of(x),
        dtype=ir.DataType.DOUBLE,
        attributes={"to": ir.DataType.DOUBLE},
    )
