# SPDX-License-Identifier: Apache-2.0
"""Quantization after training, written as QONNX.

Weights: symmetric, the largest of each output channel (of the whole last layer, whose outputs are
compared with each other) is the largest code. Activations and inputs: the largest of the
calibration rows is the largest code, unsigned if none is negative. Biases of hidden layers stay as
they are, for they end in thresholds; the last layer's are multiples of its sums' scale.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from qnnc_sklearn.archive import ACTIVATIONS, Floats, Network

DOMAIN = "qonnx.custom_op.general"
OPSET = 21
BIAS_BITS = 31


@dataclass(frozen=True)
class Bits:
    """Widths of what is quantized."""

    weights: int = 8
    activations: int = 8
    inputs: int = 8


@dataclass
class _Writer:
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)

    def constant(self, name: str, array: object) -> str:
        self.constants.append(numpy_helper.from_array(np.asarray(array, np.float32), name))
        return name

    def op(self, op: str, inputs: list[str], output: str) -> str:
        self.nodes.append(helper.make_node(op, inputs, [output], name=output))
        return output

    def quant(self, x: str, scale: object, bits: int, *, signed: bool, narrow: bool = False) -> str:
        """A quantizer; named after what it quantizes."""
        y = f"{x}_quant"
        parameters = [("scale", scale), ("zero", 0.0), ("bits", float(bits))]
        inputs = [x, *(self.constant(f"{y}_{name}", array) for name, array in parameters)]
        settings = {"signed": int(signed), "narrow": int(narrow), "rounding_mode": "ROUND"}
        self.nodes.append(helper.make_node("Quant", inputs, [y], name=y, domain=DOMAIN, **settings))
        return y


def quantized(network: Network, bits: Bits) -> onnx.ModelProto:
    """The network as QONNX: `x` [1, features] in, `scores` [1, classes] out."""
    writer = _Writer()
    x, floats = "x", network.rows
    x, scale = _activation(writer, x, floats, bits.inputs)
    last = len(network.weights) - 1
    for i, (weights, biases) in enumerate(zip(network.weights, network.biases, strict=True)):
        w_scale = _weight_scale(weights, bits.weights, per_channel=i < last)
        w = writer.constant(f"weights{i}", weights)
        w = writer.quant(w, w_scale, bits.weights, signed=True, narrow=True)
        x = writer.op("MatMul", [x, w], f"sums{i}")
        b = writer.constant(f"biases{i}", biases)
        if i == last:
            b = _bias(writer, b, biases, scale * w_scale)
        x = writer.op("Add", [x, b], "scores" if i == last else f"biased{i}")
        floats = floats @ weights + biases
        if i < last:
            function = ACTIVATIONS[network.activation]
            if function:
                x = writer.op(function, [x], f"hidden{i}")
            floats = _applied(function, floats)
            x, scale = _activation(writer, x, floats, bits.activations)
    return _model(writer, network)


def _activation(writer: _Writer, x: str, floats: Floats, bits: int) -> tuple[str, NDArray]:
    signed = bool(floats.min() < 0)
    top = 2 ** (bits - 1) - 1 if signed else 2**bits - 1
    largest = float(np.abs(floats).max()) or 1.0  # a layer that is always silent
    scale = np.float32(largest / max(top, 1))
    return writer.quant(x, scale, bits, signed=signed), np.asarray(scale)


def _weight_scale(weights: Floats, bits: int, *, per_channel: bool) -> NDArray:
    largest = np.abs(weights).max(axis=0) if per_channel else np.abs(weights).max()
    largest = np.where(largest > 0, largest, 1.0)
    return np.asarray(largest / max(1, 2 ** (bits - 1) - 1), np.float32)


def _bias(writer: _Writer, b: str, biases: Floats, scale: NDArray) -> str:
    largest = int(np.rint(np.abs(biases / scale)).max())
    bits = min(BIAS_BITS, max(2, math.ceil(math.log2(largest + 1)) + 1))
    return writer.quant(b, scale, bits, signed=True)


def _applied(function: str, x: Floats) -> Floats:
    if function == "Relu":
        return np.maximum(x, 0)
    if function == "Tanh":
        return np.tanh(x)
    if function == "Sigmoid":
        return (0.5 * (1 + np.tanh(0.5 * x))).astype(np.float32)  # of e^x, none overflows
    return x


def _model(writer: _Writer, network: Network) -> onnx.ModelProto:
    sizes = {"x": network.rows.shape[1], "scores": network.weights[-1].shape[1]}
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, size])
        for name, size in sizes.items()
    ]
    graph = helper.make_graph(writer.nodes, "mlp", ends[:1], ends[1:], writer.constants)
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(DOMAIN, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)
