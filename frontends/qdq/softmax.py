# SPDX-License-Identifier: Apache-2.0
"""com.microsoft's QLinearSoftmax: a table of exponentials, summed one after the other."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from qnnc.compiler.ir.edit import attribute
from qnnc.frontends.qdq.importer import Importer
from qnnc.frontends.qdq.parameters import Parameters

TOP = 255
"""Index of the largest integer in the table."""


def qlinear_softmax(importer: Importer, node: ir.Node) -> None:
    """y = round(e floor(1 / y scale) / sum of e) + zero point, e = table[x - max of x + 255]."""
    parameters, w = Parameters(node), importer.writer(node)
    x, y = parameters.affine(1, 2), parameters.affine(3, 4)
    codes = importer.codes(w, parameters.data(0, "input"), x)
    shape = importer.shape(codes)
    opset = int(attribute(node, "opset", 13))
    axis = int(attribute(node, "axis", -1 if opset >= 13 else 1)) % len(shape)
    size = shape[axis]
    if size is None or (opset < 13 and axis != len(shape) - 1):
        raise parameters.error(0, "input", "is not normalised along one axis of a known size")
    last = w.constant([axis], np.int64)
    index = w.op("Sub", codes, w.op("ReduceMax", codes, last, keepdims=1))
    index = w.op("Cast", w.op("Add", index, w.constant(TOP)), to=ir.DataType.INT64)
    powers = w.op("Gather", w.constant(_table(float(x.scale), size)), index)
    sums = w.op("CumSum", powers, w.constant(axis, np.int64))
    total = w.op("Gather", sums, w.constant([size - 1], np.int64), axis=axis)
    parts = w.op("Mul", powers, w.constant(np.floor(np.float32(1) / y.scale)))
    q = w.quantize(w.op("Div", parts, total), y.codes(), codes=True)
    importer.keep(node.outputs[0], q, int(y.zero), y.dtype)


def _table(scale: float, size: int) -> NDArray[np.float32]:
    """Exponentials of all 8-bit integers, as large as their sum allows in float32."""
    reserve = 5
    room = np.log(np.finfo(np.float32).max / np.float32(size)).astype(np.float64) - reserve
    exponent = (np.arange(TOP + 1) - TOP + max(0.0, room) / scale) * scale
    return np.asarray(np.exp(exponent), np.float32)
