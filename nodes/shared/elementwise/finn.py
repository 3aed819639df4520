# SPDX-License-Identifier: Apache-2.0
"""Elementwise nodes in FINN, both ways."""

from __future__ import annotations

from qnnc.backends.finn.facet import ToFinn
from qnnc.frontends.finn.graph import base_name
from qnnc.frontends.finn.images import Window
from qnnc.frontends.finn.sums import channels_first
from qnnc.frontends.finn.writer import Node, Writer


class Elementwise(ToFinn):
    """Of two streams or with a constant."""

    attributes = (
        "lhs_dtype rhs_dtype out_dtype lhs_shape rhs_shape out_shape lhs_style rhs_style PE"
    )


def read(writer: Writer, node: Node, windows: dict[str, Window]) -> None:
    """Elementwise operators, of two streams or with a constant."""
    apply(writer, node, base_name(node.proto).removeprefix("Elementwise"))


def apply(writer: Writer, node: Node, op_type: str) -> None:
    """An operator of two operands, element by element."""
    first = any(writer.is_first(name) for name in node.inputs)
    operands = []
    for index, name in enumerate(node.inputs[:2]):
        if name in writer.constants:
            array = writer.array(node, index)
            if base_name(node.proto) == "ChannelwiseOp":
                array = array.reshape(-1)
            operands.append(writer.constant(channels_first(array, first)))
        else:
            operands.append(writer.first(name) if first else writer.value(name))
    if first:
        writer.give_first(node.outputs[0], writer.op(op_type, *operands))
    else:
        writer.op(op_type, *operands, output=node.outputs[0])
