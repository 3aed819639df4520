# SPDX-License-Identifier: Apache-2.0
"""Integer tensors that are functions of one and the same integer tensor.

A residual quantizer (x - b0, quantized again) combines a sum with the code of that very sum: two
integer tensors, but the second follows from the first. Where all that a tail combines does so, it
is a function of one integer, found by evaluation like any other.
"""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from qnnc.compiler.ir.edit import QNNC, QONNX, constant
from qnnc.compiler.ir.facts import integer

SIMPLE = frozenset({"Add", "Sub", "Mul", "Cast", "Dequantize"})
"""What may lie between a table and what combines several of them."""
FURTHEST = 16
"""Tensors looked at, from each one back."""


def is_table(node: ir.Node) -> bool:
    """The node is a MultiThreshold."""
    return node.op_type == "MultiThreshold" and node.domain == QONNX


def tables_between(anchors: Sequence[ir.Value]) -> frozenset[ir.Value]:
    """The integer tensors through which a tail of these anchors leads back to one of its own.

    Returns:
        Those tensors, or none where the anchors do not all follow from the same one.
    """
    ways = [_way_back(value) for value in anchors]
    for common in ways[0]:
        if all(common in way for way in ways):
            return frozenset(v for way in ways for v in way[: way.index(common)])
    return frozenset()


def _way_back(value: ir.Value) -> list[ir.Value]:
    """The tensor and those that it is computed from by tables, one from the next."""
    way = [value]
    while len(way) < FURTHEST:
        node = value.producer()
        if node is None or not (is_table(node) or _is_simple(node)):
            break
        sources = [v for v in node.inputs if v is not None and constant(v) is None]
        if len(sources) != 1 or integer(sources[0]) is None:
            break
        value = sources[0]
        way.append(value)
    return way


def _is_simple(node: ir.Node) -> bool:
    return node.op_type in SIMPLE and node.domain in ("", QNNC)
