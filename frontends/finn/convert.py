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
    given = {value.name for value in proto.graph.input}
    for made in proto.graph.node:
        node = Node(made)
        if is_finn(made):
            _declare(writer, node, given)
        if is_finn(made) or made.domain in GENERAL:
            given.update(node.outputs)
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


def mvau(writer: Writer, node: Node, windows: dict[str, Window]) -> None:
    """MVAU, dense or behind a window generator, with or without thresholds."""
    matrix = np.rint(writer.array(node, 1))
    kind = node.type_attr("weightDataType")
    total = _product(writer, node, windows, matrix, kind, bool(node.attr("binaryXnorMode", 0)))
    _given(writer, node, *total)


def _product(
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
        total = images.convolution(writer, node, window, weights, chosen)
    else:
        quantized = writer.weights(weights, chosen)
        total = writer.op("MatMul", writer.value(node.inputs[0]), quantized)
    if xnor:
        missing = (1 - matrix).sum(axis=0)
        total = writer.op("Add", total, writer.constant(_along(missing, window is not None)))
    return total, window is not None


def _along(array: NDArray[Any], first: bool) -> NDArray[Any]:
    """What has channels last, for an operand that has them first."""
    if not first or array.size == 1:
        return array
    whole = array.reshape((1,) * (4 - array.ndim) + array.shape)
    return whole.transpose(0, 3, 1, 2)


def _given(writer: Writer, node: Node, total: str, first: bool) -> None:
    """The output of a node that has added something up, through its thresholds if it has some."""
    output = node.outputs[0]
    if not node.attr("noActivation", 0):
        kind, base = node.type_attr("outputDataType"), int(node.attr("ActVal", 0))
        _thresholds(writer, node, total, writer.array(node, 2), kind, base, first)
    elif first:
        writer.give_first(output, total)
    else:
        writer.op("Identity", total, output=output)


def _thresholds(
    writer: Writer,
    node: Node,
    x: str,
    table: NDArray[Any],
    kind: BaseDataType,
    base: int,
    first: bool,
) -> None:
    output = node.outputs[0]
    if first:
        found = writer.thresholds(node, x, table, kind, base, None, -3)
        writer.give_first(output, found)
    else:
        writer.thresholds(node, x, table, kind, base, output)


def vvau(writer: Writer, node: Node, windows: dict[str, Window]) -> None:
    """VVAU: a depthwise convolution behind its window generator."""
    window = windows.get(node.inputs[0])
    if window is None:
        raise node.refusal("no window generator stands before it")
    weights = np.rint(writer.array(node, 1))
    xnor = bool(node.attr("binaryXnorMode", 0))
    kind = BIPOLAR if xnor else node.type_attr("weightDataType")
    factors = 2 * weights - 1 if xnor else weights
    total = images.depthwise(writer, node, window, factors, kind)
    if xnor:  # as for MVAU
        missing = (1 - weights).sum(axis=(1, 2, 3))
        total = writer.op("Add", total, writer.constant(_along(missing, True)))
    _given(writer, node, total, True)


def thresholding(writer: Writer, node: Node, windows: dict[str, Window]) -> None:
    """Thresholding."""
    kind, base = node.type_attr("outputDataType"), int(node.attr("ActVal", 0))
    first = writer.is_first(node.inputs[0])
    x = writer.first(node.inputs[0]) if first else writer.value(node.inputs[0])
    _thresholds(writer, node, x, writer.array(node, 1), kind, base, first)


def multi_threshold(writer: Writer, node: Node, windows: dict[str, Window]) -> None:
    """MultiThreshold before conversion: any scale and bias, channels first or last."""
    table = writer.array(node, 1)
    steps = table.shape[1]
    scale, bias = float(node.attr("out_scale", 1.0)), float(node.attr("out_bias", 0.0))
    last = str(node.attr("data_layout", "")) in ("NHWC", "NC", "NWC")
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
    total, first = _product(writer, node, windows, matrix, BINARY, True)
    if first:
        writer.give_first(node.outputs[0], total)
    else:
        writer.op("Identity", total, output=node.outputs[0])


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
    _apply(writer, node, base_name(node.proto).removeprefix("Elementwise"))


def add_streams(writer: Writer, node: Node, windows: dict[str, Window]) -> None:
    """AddStreams and StreamingEltwise's additions, of older versions."""
    if str(node.attr("eltwiseOp", "Add")) != "Add":
        raise node.refusal("only additions are supported")
    _apply(writer, node, "Add")


def channelwise(writer: Writer, node: Node, windows: dict[str, Window]) -> None:
    """ChannelwiseOp of older versions."""
    function = str(node.attr("Func"))
    if function not in ("add", "mul"):
        raise node.refusal(f"its function {function!r} is not supported")
    _apply(writer, node, {"add": "Add", "mul": "Mul"}[function])


def _apply(writer: Writer, node: Node, op_type: str) -> None:
    """An operator of two operands, element by element."""
    first = any(writer.is_first(name) for name in node.inputs)
    operands = []
    for index, name in enumerate(node.inputs[:2]):
        if name in writer.constants:
            array = writer.array(node, index)
            if base_name(node.proto) == "ChannelwiseOp":
                array = array.reshape(-1)
            operands.append(writer.constant(_along(array, first)))
        else:
            operands.append(writer.first(name) if first else writer.value(name))
    if first:
        writer.give_first(node.outputs[0], writer.op(op_type, *operands))
    else:
        writer.op(op_type, *operands, output=node.outputs[0])


def passed(writer: Writer, node: Node, windows: dict[str, Window]) -> None:
    """What only moves words: the tensor itself, in as many copies as are wanted."""
    for output in node.outputs:
        if writer.is_first(node.inputs[0]):
            writer.give_first(output, writer.first(node.inputs[0]))
        else:
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
        total, _ = _product(writer, node, windows, matrix, kind, False)
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
    "StreamingSplit": images.split,
    "Shuffle": images.shuffle,
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
