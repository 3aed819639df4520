# SPDX-License-Identifier: Apache-2.0
"""FINN's operators as QONNX: what they compute, in standard operators between quantizers.

Folding, memories, FIFOs and width converters are left behind: qnnc chooses its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from qonnx.core.datatype import BaseDataType

from qnnc.compiler.datatypes import BINARY, BIPOLAR, smallest_type
from qnnc.compiler.errors import ModelError, quote
from qnnc.frontends.finn import images
from qnnc.frontends.finn.graph import base_name, is_finn
from qnnc.frontends.finn.images import Window
from qnnc.frontends.finn.writer import Node, Writer

GENERAL = frozenset({"qonnx.custom_op.general", "finn.custom_op.general"})
Handler = Callable[[Writer, Node, dict[str, Window]], None]


def converted(proto: onnx.ModelProto) -> onnx.ModelProto:
    """The QONNX model of a FINN model, partitions inlined before.

    Raises:
        ModelError: an operator is unknown, or is used in a way that FINN does not.
    """
    writer = Writer(proto.graph)
    windows: dict[str, Window] = {}
    for made in proto.graph.node:
        node = Node(made)
        if is_finn(made):
            handler = FINN_OPERATORS.get(base_name(made))
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


def mvau(writer: Writer, node: Node, windows: dict[str, Window]) -> None:
    """MVAU, dense or behind a window generator, with or without thresholds."""
    matrix = np.rint(writer.array(node, 1))
    kind = node.type_attr("weightDataType")
    xnor = bool(node.attr("binaryXnorMode", 0))
    active = not node.attr("noActivation", 0)
    total = _product(writer, node, windows, matrix, kind, xnor, "" if active else node.outputs[0])
    if active:
        _activation(writer, node, total)


def _product(
    writer: Writer,
    node: Node,
    windows: dict[str, Window],
    matrix: NDArray[Any],
    kind: BaseDataType,
    xnor: bool,
    output: str,
) -> str:
    # equal pairs of codes = x.w + (1-x).(1-w) = x.(2w-1) + sum(1-w)
    weights = 2 * matrix - 1 if xnor else matrix
    chosen = BIPOLAR if xnor else kind
    result = output or None
    last = result if not xnor else None
    window = windows.get(node.inputs[0])
    if window is not None:
        total = images.convolution(writer, node, window, weights, chosen, last)
    else:
        quantized = writer.weights(weights, chosen)
        total = writer.op("MatMul", writer.value(node.inputs[0]), quantized, output=last)
    if xnor:
        missing = (1 - matrix).sum(axis=0)
        total = writer.op("Add", total, writer.constant(missing), output=result)
    return total


def _activation(writer: Writer, node: Node, total: str) -> None:
    kind = node.type_attr("outputDataType")
    table, base = writer.array(node, 2), int(node.attr("ActVal", 0))
    writer.thresholds(node, total, table, kind, base, node.outputs[0])


def vvau(writer: Writer, node: Node, windows: dict[str, Window]) -> None:
    """VVAU: a depthwise convolution behind its window generator."""
    window = windows.get(node.inputs[0])
    if window is None:
        raise node.refusal("no window generator stands before it")
    weights = np.rint(writer.array(node, 1))
    active = not node.attr("noActivation", 0)
    if node.attr("binaryXnorMode", 0):
        raise node.refusal("binaryXnorMode is not supported")
    last = None if active else node.outputs[0]
    kind = node.type_attr("weightDataType")
    total = images.depthwise(writer, node, window, weights, kind, last)
    if active:
        _activation(writer, node, total)


def thresholding(writer: Writer, node: Node, windows: dict[str, Window]) -> None:
    """Thresholding, channels last."""
    kind, base = node.type_attr("outputDataType"), int(node.attr("ActVal", 0))
    x = writer.value(node.inputs[0])
    writer.thresholds(node, x, writer.array(node, 1), kind, base, node.outputs[0])


def multi_threshold(writer: Writer, node: Node, windows: dict[str, Window]) -> None:
    """MultiThreshold before conversion: any scale and bias, channels first or last."""
    table = writer.array(node, 1)
    steps = table.shape[1]
    scale, bias = float(node.attr("out_scale", 1.0)), float(node.attr("out_bias", 0.0))
    last = str(node.attr("data_layout", "")) in ("NHWC", "NC", "NWC")
    rank = _rank(writer, node)
    axis = -1 if last or rank == 2 else 1 - rank
    x = writer.value(node.inputs[0])
    whole = scale == 1 and bias == int(bias)
    if whole:
        kind = smallest_type(int(bias), int(bias) + steps)
        writer.thresholds(node, x, table, kind, int(bias), node.outputs[0], axis)
        return
    if scale == 2 and bias == -1 and steps == 1:
        writer.thresholds(node, x, table, BIPOLAR, 0, node.outputs[0], axis)
        return
    count = writer.thresholds(node, x, table, smallest_type(0, steps), 0, None, axis)
    moved = writer.op("Mul", count, writer.constant(scale))
    writer.op("Add", moved, writer.constant(bias), output=node.outputs[0])


def _rank(writer: Writer, node: Node) -> int:
    for value in (*writer.source.value_info, *writer.source.input, *writer.source.output):
        if value.name in (node.inputs[0], node.outputs[0]):
            return len(value.type.tensor_type.shape.dim)
    raise node.refusal("the shape of its input is not in the graph")


def xnor_popcount(writer: Writer, node: Node, windows: dict[str, Window]) -> None:
    """XnorPopcountMatMul before conversion."""
    matrix = np.rint(writer.array(node, 1))
    _product(writer, node, windows, matrix, BINARY, True, node.outputs[0])


def labels(writer: Writer, node: Node, windows: dict[str, Window]) -> None:
    """LabelSelect: indices of the K largest."""
    k = writer.constant([int(node.attr("K"))], np.int64)
    values, indices = writer.fresh("scores"), writer.fresh("labels")
    writer.nodes.append(
        onnx.helper.make_node(
            "TopK", [writer.value(node.inputs[0]), k], [values, indices], name=indices, axis=-1
        )
    )
    writer.op("Cast", indices, output=node.outputs[0], to=onnx.TensorProto.FLOAT)


def elementwise(writer: Writer, node: Node, windows: dict[str, Window]) -> None:
    """Elementwise operators, of two streams or with a constant."""
    op_type = base_name(node.proto).removeprefix("Elementwise")
    operands = []
    for index in (0, 1):
        name = node.inputs[index]
        operands.append(
            writer.constant(writer.array(node, index))
            if name in writer.constants
            else writer.value(name)
        )
    writer.op(op_type, *operands, output=node.outputs[0])


def add_streams(writer: Writer, node: Node, windows: dict[str, Window]) -> None:
    """AddStreams and StreamingEltwise's additions, of older versions."""
    if str(node.attr("eltwiseOp", "Add")) != "Add":
        raise node.refusal("only additions are supported")
    writer.op("Add", *(writer.value(name) for name in node.inputs), output=node.outputs[0])


def channelwise(writer: Writer, node: Node, windows: dict[str, Window]) -> None:
    """ChannelwiseOp of older versions."""
    function = str(node.attr("Func"))
    if function not in ("add", "mul"):
        raise node.refusal(f"its function {function!r} is not supported")
    operand = writer.constant(writer.array(node, 1).reshape(-1))
    x = writer.value(node.inputs[0])
    writer.op({"add": "Add", "mul": "Mul"}[function], x, operand, output=node.outputs[0])


def passed(writer: Writer, node: Node, windows: dict[str, Window]) -> None:
    """What only moves words: the tensor itself, in as many copies as are wanted."""
    for output in node.outputs:
        writer.aliases[output] = writer.value(node.inputs[0])
        if node.inputs[0] in windows:
            windows[output] = windows[node.inputs[0]]


def reshape(writer: Writer, node: Node, windows: dict[str, Window]) -> None:
    """Reshape of finn-plus: the elements in their order."""
    shape = writer.constant([int(d) for d in node.attr("out_shape")], np.int64)
    writer.op("Reshape", writer.value(node.inputs[0]), shape, output=node.outputs[0])


def standard(writer: Writer, node: Node, windows: dict[str, Window]) -> None:
    """An operator of ONNX; constants that FINN calls integers become quantized."""
    made = onnx.NodeProto()
    made.CopyFrom(node.proto)
    if node.proto.op_type == "MatMul" and node.inputs[0] in windows:
        matrix, kind = np.rint(writer.array(node, 1)), writer.types.get(node.inputs[1])
        if kind is None:
            raise node.refusal("its weights have no integer type")
        _product(writer, node, windows, matrix, kind, False, node.outputs[0])
        return
    for index, name in enumerate(node.inputs):
        kind = writer.types.get(name)
        layer = node.proto.op_type in ("MatMul", "Conv")
        if name in writer.constants and kind is not None and layer and index == 1:
            made.input[index] = writer.weights(writer.array(node, index), kind)
        else:
            made.input[index] = writer.value(name)
    writer.nodes.append(made)


FINN_OPERATORS: dict[str, Handler] = {
    "MVAU": mvau,
    "VVAU": vvau,
    "Thresholding": thresholding,
    "LabelSelect": labels,
    "ElementwiseAdd": elementwise,
    "ElementwiseMul": elementwise,
    "AddStreams": add_streams,
    "StreamingEltwise": add_streams,
    "ChannelwiseOp": channelwise,
    "ConvolutionInputGenerator": images.window_generator,
    "FMPadding": images.padding,
    "Pool": images.pool,
    "StreamingMaxPool": images.streaming_max_pool,
    "GlobalAccPool": images.global_sum,
    "UpsampleNearestNeighbour": images.upsample,
    "StreamingConcat": images.concat,
    "Reshape": reshape,
    **dict.fromkeys(
        (
            "DuplicateStreams",
            "StreamingFIFO",
            "StreamingDataWidthConverter",
            "TLastMarker",
            "IODMA",
        ),
        passed,
    ),
}
GENERAL_OPERATORS: dict[str, Handler] = {
    "MultiThreshold": multi_threshold,
    "XnorPopcountMatMul": xnor_popcount,
    "Im2Col": images.im2col,
    "MaxPoolNHWC": images.max_pool_nhwc,
    **dict.fromkeys(("Quant", "IntQuant", "BipolarQuant", "Trunc"), standard),
}
