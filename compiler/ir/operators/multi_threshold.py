# SPDX-License-Identifier: Apache-2.0
"""MultiThreshold: QONNX's operator, with an optional table of values for tails that are not
monotone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from qnnc.compiler.datatypes import carrier, smallest_type
from qnnc.compiler.ir.builder import Builder
from qnnc.compiler.ir.edit import QONNX, Editor, attribute, constant, shape_of

COMPARED_AT_ONCE = 16
"""Thresholds of a channel up to which comparing with all of them takes no more than a search."""


@dataclass(frozen=True)
class Table:
    """Thresholds of every channel along one axis of the tensor.

    Attributes:
        thresholds: [channels or 1, steps], ascending in each row.
        base: output where no threshold is reached.
        values: [channels or 1, steps + 1], the output by number of thresholds reached, or None
            where that is base + number.
        axis: the channels' axis, negative from the end.
    """

    thresholds: NDArray[np.int64]
    base: int
    values: NDArray[np.int64] | None = None
    axis: int = -1


def insert(
    editor: Editor,
    before: ir.Node,
    x: ir.Value,
    table: Table,
    name: str,
    origins: Sequence[ir.Node],
) -> ir.Value:
    """Add a MultiThreshold node; returns its output."""
    inputs = [x, editor.initializer(f"{name}_thresholds", _carried(table.thresholds))]
    if table.values is not None:
        inputs.append(editor.initializer(f"{name}_values", _carried(table.values)))
    return editor.insert(
        before,
        "MultiThreshold",
        inputs,
        name,
        domain=QONNX,
        shape=shape_of(x),
        origins=origins,
        attributes={"out_bias": float(table.base), "out_scale": 1.0, "axis": table.axis},
    )


def table_of(node: ir.Node) -> Table:
    """The table of a MultiThreshold node that `insert` made."""
    arrays = [constant(v) for v in node.inputs[1:]]
    integers = [np.rint(a).astype(np.int64) for a in arrays if a is not None]
    return Table(
        integers[0],
        int(attribute(node, "out_bias")),
        integers[1] if len(integers) > 1 else None,
        int(attribute(node, "axis")),
    )


def reference(node: ir.Node, b: Builder, inputs: Sequence[ir.Value]) -> list[ir.Value]:
    """Inputs x, thresholds, values (optional)."""
    table = table_of(node)
    x = node.inputs[0]
    wide = x is not None and x.dtype == ir.DataType.DOUBLE
    dtype = np.float64 if wide else np.float32
    thresholds, values = _along(table.thresholds, table.axis), table.values
    return [
        count_thresholds(
            b,
            inputs[0],
            thresholds,
            None if values is None else _along(values, table.axis),
            table.base,
            dtype,
        )
    ]


def table_codes(table: Table, x: NDArray[np.int64]) -> NDArray[np.int64]:
    """What a table gives for integers x [rows, channels]."""
    thresholds = np.broadcast_to(table.thresholds, (x.shape[1], table.thresholds.shape[1]))
    counts = np.stack(
        [np.searchsorted(thresholds[c], x[:, c], "right") for c in range(x.shape[1])], axis=1
    )
    if table.values is None:
        return counts + table.base
    values = np.broadcast_to(table.values, (x.shape[1], table.values.shape[1]))
    return np.take_along_axis(values.T, counts, axis=0)


def _carried(array: NDArray[np.int64]) -> NDArray[np.floating]:
    kind = smallest_type(int(array.min()), int(array.max()))
    return array.astype(carrier(kind))


def _along(array: NDArray[np.int64], axis: int) -> NDArray[np.int64]:
    """[channels, n] shaped so that channels meet `axis` of a tensor and n a new last axis."""
    return array.reshape(array.shape[0], *(1,) * (-axis - 1), array.shape[1])


def count_thresholds(
    b: Builder,
    x: ir.Value,
    thresholds: NDArray[np.int64],
    values: NDArray[np.int64] | None,
    base: int,
    dtype: object,
) -> ir.Value:
    """What a table gives for x, in standard operators; shapes are those of `Table`.

    A few thresholds are compared along a new last axis of x. Many are searched by bisection, so
    that nothing is larger than x.
    """
    if thresholds.shape[-1] > COMPARED_AT_ONCE:
        return _bisected(b, x, thresholds, values, base, dtype)
    apart = b.op("Unsqueeze", x, b.constant([-1], np.int64))
    reached = b.op("GreaterOrEqual", apart, b.constant(thresholds, dtype))
    ones = b.op("Cast", reached, to=ir.DataType.FLOAT)
    last = b.constant([-1], np.int64)
    if values is None:
        count = b.op("ReduceSum", ones, last, keepdims=0)
        return b.op("Add", count, b.constant(base)) if base else count
    # values[n] = values[0] + the steps up to n
    moved = b.op("Mul", ones, b.constant(np.diff(values, axis=-1)))
    total = b.op("ReduceSum", moved, last, keepdims=0)
    return b.op("Add", total, b.constant(values[..., 0]))


def _bisected(
    b: Builder,
    x: ir.Value,
    thresholds: NDArray[np.int64],
    values: NDArray[np.int64] | None,
    base: int,
    dtype: object,
) -> ir.Value:
    """As `count_thresholds`. Step l knows the first l bits of the number of thresholds reached; its
    table [channels * 2^l] holds the one threshold that decides the next bit, by channel and those
    bits."""
    steps = thresholds.shape[-1]
    along = max((thresholds, values), key=lambda a: 0 if a is None else a.size // a.shape[-1])
    assert along is not None
    channels = along.shape[:-1]
    rows = np.broadcast_to(thresholds, (*channels, steps)).reshape(-1, steps)
    bits = steps.bit_length()
    count, width = len(rows), 1 << bits
    never = np.full((count, width - 1 - steps), np.nan)
    padded = np.concatenate([rows.astype(np.float64), never], axis=1)
    first = np.arange(count, dtype=np.int32).reshape(channels)
    place: ir.Value | None = None
    for level in range(bits):
        table = padded[:, (width >> level + 1) - 1 :: width >> level]
        if place is None:
            reached = b.op("GreaterOrEqual", x, b.constant(table.reshape(channels), dtype))
            twice = b.constant(2 * first, np.int32)
        else:
            limit = b.op("Gather", b.constant(table.reshape(-1), dtype), place, axis=0)
            reached = b.op("GreaterOrEqual", x, limit)
            twice = b.op("Add", place, place)
        place = b.op("Add", twice, b.op("Cast", reached, to=ir.DataType.INT32))
    assert place is not None
    if values is None:
        number = b.op("Sub", place, b.constant(first * width - base, np.int32))
        return b.op("Cast", number, to=ir.DataType.FLOAT)
    results = np.broadcast_to(values, (*channels, steps + 1)).reshape(-1, steps + 1)
    filled = np.pad(results, ((0, 0), (0, width - steps - 1)))
    return b.op("Gather", b.constant(filled.reshape(-1)), place, axis=0)
