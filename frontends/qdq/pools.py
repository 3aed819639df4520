# SPDX-License-Identifier: Apache-2.0
"""com.microsoft's QLinearAveragePool and QLinearGlobalAveragePool."""

from __future__ import annotations

import math

import numpy as np
import onnx_ir as ir

from qnnc.compiler.ir.edit import attribute
from qnnc.frontends.qdq.importer import Importer
from qnnc.frontends.qdq.parameters import Parameters


def qlinear_average_pool(importer: Importer, node: ir.Node) -> None:
    """y = round(mean of the dequantized numbers / y scale + zero point)."""
    parameters, w = Parameters(node), importer.writer(node)
    _channels_first(parameters, node)
    x, y = parameters.affine(1, 2), parameters.affine(3, 4)
    codes = importer.codes(w, parameters.data(0, "input"), x)
    numbers = w.op("Mul", codes, w.constant(x.scale))
    mean = w.standard("AveragePool", node, numbers, drop=("channels_last",))
    q = w.quantize(mean, y, order="before", codes=True)
    importer.keep(node.outputs[0], q, int(y.zero), y.dtype)


def qlinear_global_average_pool(importer: Importer, node: ir.Node) -> None:
    """y = round(sum of integers * float32(x scale / float32(y scale * elements))) + zero point."""
    parameters, w = Parameters(node), importer.writer(node)
    _channels_first(parameters, node)
    x, y = parameters.affine(1, 2), parameters.affine(3, 4)
    value = parameters.data(0, "input")
    codes = importer.codes(w, value, x)
    shape = importer.shape(codes)
    sizes = [size for size in shape[2:] if size is not None]
    if len(sizes) != len(shape) - 2:
        raise parameters.error(0, "input", "has no static shape; export with a fixed input shape")
    elements = np.float32(math.prod(sizes))
    axes = w.constant(list(range(2, len(shape))), np.int64)
    total = w.op("ReduceSum", codes, axes, keepdims=1)
    factor = np.float32(x.scale / np.float32(y.scale * elements))
    scaled = w.op("Mul", total, w.constant(factor))
    q = w.quantize(scaled, y.codes(), codes=True)
    importer.keep(node.outputs[0], q, int(y.zero), y.dtype)


def _channels_first(parameters: Parameters, node: ir.Node) -> None:
    if attribute(node, "channels_last", 0):
        raise parameters.error(0, "input", "has its channels last; quantize the original model")
