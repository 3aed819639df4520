# SPDX-License-Identifier: Apache-2.0
"""Sums of products, and the thresholds that they go through."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray
from qonnx.core.datatype import BaseDataType

from qnnc.compiler.datatypes import BIPOLAR
from qnnc.frontends.finn.images import Window, convolution
from qnnc.frontends.finn.writer import Node, Writer


def product(
    writer: Writer,
    node: Node,
    windows: dict[str, Window],
    matrix: NDArray[Any],
    kind: BaseDataType,
    xnor: bool,
) -> tuple[str, bool]:
    """The product of a matrix [inputs, outputs], and whether its channels are first."""
    # equal pairs of codes = x.w + (1-x).(1-w) = x.(2w-1) + sum(1-w)
    weights, chosen = (2 * matrix - 1, BIPOLAR) if xnor else (matrix, kind)
    window = windows.get(node.inputs[0])
    if window is None and writer.is_first(node.inputs[0]):
        one = (1, 1)
        window = Window(writer.first(node.inputs[0]), matrix.shape[0], one, one, one)
    if window is not None:
        total = convolution(writer, node, window, weights, chosen)
    else:
        quantized = writer.weights(weights, chosen)
        total = writer.op("MatMul", writer.value(node.inputs[0]), quantized)
    if xnor:
        missing = (1 - matrix).sum(axis=0)
        total = writer.op(
            "Add", total, writer.constant(channels_first(missing, window is not None))
        )
    return total, window is not None


def channels_first(array: NDArray[Any], first: bool) -> NDArray[Any]:
    """An array whose last axis is the channels, made to broadcast against images [N, C, H, W]."""
    if not first or array.size == 1:
        return array
    whole = array.reshape((1,) * (4 - array.ndim) + array.shape)
    return whole.transpose(0, 3, 1, 2)


def give_sum(writer: Writer, node: Node, total: str, first: bool) -> None:
    """The output of a node that has added something up, through its thresholds if it has some."""
    output = node.outputs[0]
    if not node.integer("noActivation", 0):
        kind, base = node.integer_type("outputDataType"), node.integer("ActVal", 0)
        give_codes(writer, node, total, writer.array(node, 2), kind, base, first)
    elif first:
        writer.give_first(output, total)
    else:
        writer.op("Identity", total, output=output)


def give_codes(
    writer: Writer,
    node: Node,
    x: str,
    table: NDArray[Any],
    kind: BaseDataType,
    base: int,
    first: bool,
) -> None:
    """The output of a node that counts thresholds [channels or 1, steps], `base` added."""
    output = node.outputs[0]
    if first:
        found = writer.thresholds(node, x, table, kind, base, None, -3)
        writer.give_first(output, found)
    else:
        writer.thresholds(node, x, table, kind, base, output)
