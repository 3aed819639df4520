# SPDX-License-Identifier: Apache-2.0
"""FINN's operators as QONNX: what they compute, in standard operators between quantizers.

Folding, memories, FIFOs and width converters are dropped: qnnc chooses its own.
"""

from __future__ import annotations

import numpy as np
import onnx

from qnnc.compiler.datatypes import BINARY, BIPOLAR, smallest_type
from qnnc.compiler.errors import ModelError, quote
from qnnc.frontends.finn.graph import base_name, is_finn
from qnnc.frontends.finn.images import Window, im2col, max_pool_nhwc
from qnnc.frontends.finn.operators import Reader, reader
from qnnc.frontends.finn.sums import product
from qnnc.frontends.finn.writer import Node, Writer

GENERAL = frozenset({"qonnx.custom_op.general", "finn.custom_op.general"})


def converted(proto: onnx.ModelProto) -> onnx.ModelProto:
    """The QONNX model of a FINN model, partitions inlined before.

    Raises:
        ModelError: an operator is unknown, or is used in a way that FINN does not.
    """
    writer = Writer(proto.graph)
    windows: dict[str, Window] = {}
    given = {value.name for value in proto.graph.input}
    for made in proto.graph.node:
        node = Node(made)
        if is_finn(made):
            _declare(writer, node, given)
        if is_finn(made) or made.domain in GENERAL:
            given.update(node.outputs)
        if is_finn(made):
            handler = reader(base_name(made))
        elif made.domain in GENERAL:
            handler = GENERAL_OPERATORS.get(made.op_type)
        else:
            handler = standard
        if handler is None:
            raise ModelError(
                f"node {quote(made.name)}: FINN's operator {quote(made.op_type)} is not supported"
            )
        handler(writer, node, windows)
    return writer.model()


def _declare(writer: Writer, node: Node, given: set[str]) -> None:
    """Say which integers come from the host, where its operators do not.

    Args:
        given: inputs of the model, and what FINN's operators give; the rest is added here.
    """
    for name in node.inputs:
        kind = writer.types.get(name)
        if name and name not in writer.constants and name not in given and kind is not None:
            writer.aliases[name] = writer.quantizer(writer.value(name), kind)
            given.add(name)


def multi_threshold(writer: Writer, node: Node, windows: dict[str, Window]) -> None:
    """MultiThreshold before conversion: any scale and bias, channels first or last."""
    table = writer.array(node, 1)
    steps = table.shape[1]
    scale, bias = node.number("out_scale", 1.0), node.number("out_bias", 0.0)
    last = node.text("data_layout", "") in ("NHWC", "NC", "NWC")
    first = last and writer.is_first(node.inputs[0])
    axis = -3 if first else -1 if last else 1 - _rank(writer, node)
    x = writer.first(node.inputs[0]) if first else writer.value(node.inputs[0])
    output = None if first else node.outputs[0]
    if scale == 1 and bias == int(bias):
        kind = smallest_type(int(bias), int(bias) + steps)
        found = writer.thresholds(node, x, table, kind, int(bias), output, axis)
    elif scale == 2 and bias == -1 and steps == 1:
        found = writer.thresholds(node, x, table, BIPOLAR, 0, output, axis)
    else:
        count = writer.thresholds(node, x, table, smallest_type(0, steps), 0, None, axis)
        moved = writer.op("Mul", count, writer.constant(scale))
        found = writer.op("Add", moved, writer.constant(bias), output=output)
    if first:
        writer.give_first(node.outputs[0], found)


def _rank(writer: Writer, node: Node) -> int:
    for value in (*writer.source.value_info, *writer.source.input, *writer.source.output):
        if value.name in (node.inputs[0], node.outputs[0]):
            return len(value.type.tensor_type.shape.dim)
    raise node.refusal("the shape of its input is not in the graph")


def xnor_popcount(writer: Writer, node: Node, windows: dict[str, Window]) -> None:
    """XnorPopcountMatMul before conversion."""
    matrix = np.rint(writer.array(node, 1))
    total, first = product(writer, node, windows, matrix, BINARY, True)
    if first:
        writer.give_first(node.outputs[0], total)
    else:
        writer.op("Identity", total, output=node.outputs[0])


def standard(writer: Writer, node: Node, windows: dict[str, Window]) -> None:
    """An operator of ONNX; constants that FINN calls integers become quantized."""
    made = onnx.NodeProto()
    made.CopyFrom(node.proto)
    if node.proto.op_type == "MatMul" and node.inputs[0] in windows:
        matrix, kind = np.rint(writer.array(node, 1)), writer.types.get(node.inputs[1])
        if kind is None:
            raise node.refusal("its weights have no integer type")
        total, _ = product(writer, node, windows, matrix, kind, False)
        writer.give_first(node.outputs[0], total)
        return
    for index, name in enumerate(node.inputs):
        kind = writer.types.get(name)
        layer = node.proto.op_type in ("MatMul", "Conv")
        if name in writer.constants and kind is not None and layer and index == 1:
            made.input[index] = writer.weights(writer.array(node, index), kind)
        else:
            made.input[index] = writer.value(name)
    writer.nodes.append(made)


GENERAL_OPERATORS: dict[str, Reader] = {
    "MultiThreshold": multi_threshold,
    "XnorPopcountMatMul": xnor_popcount,
    "Im2Col": im2col,
    "MaxPoolNHWC": max_pool_nhwc,
    **dict.fromkeys(("Quant", "IntQuant", "BipolarQuant", "Trunc"), standard),
}
