# SPDX-License-Identifier: Apache-2.0
"""QuantizeLinear, DequantizeLinear, and the Clip between them."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from qnnc.compiler.errors import ModelError, quote
from qnnc.compiler.ir.edit import attribute, constant, replace_value
from qnnc.frontends.qdq.importer import Importer
from qnnc.frontends.qdq.integers import INT32, RANGES, Affine
from qnnc.frontends.qdq.parameters import Parameters, before_identity


def quantize_linear(importer: Importer, node: ir.Node) -> None:
    """Float to integer. Where only equal DequantizeLinear follow, one quantizer is both.

    Raises:
        ModelError: blocks of activations, which hardware cannot quantize on their own.
    """
    parameters, q = Parameters(node), node.outputs[0]
    x, w = parameters.data(0, "input"), importer.writer(node)
    if x in importer.tensors:
        x = importer.less(w, importer.tensors[x], 0)
    if int(attribute(node, "block_size", 0)) and constant(x) is None:
        raise ModelError(
            f"node {quote(node.name)} (QuantizeLinear): blocks of activations cannot be "
            "quantized on their own in hardware; quantize per tensor"
        )
    stated = attribute(node, "output_dtype")
    affine = parameters.affine_of_tensor(x, ir.DataType(stated) if stated else None)
    if affine.dtype not in RANGES:
        raise parameters.error(0, "input", f"is quantized to {affine.dtype.name}")
    ends = _dequantized(q, affine)
    if ends is not None:
        grid, outputs = ends
        y = w.quantize(x, affine, grid=grid)
        for output in outputs:
            output.shape = output.shape or y.shape
            replace_value(output, y)
        return
    zero = affine.single_zero
    if zero is None:
        raise parameters.error(
            2, "zero point", "differs along an axis; quantize activations per tensor"
        )
    importer.keep(q, w.quantize(x, affine, codes=True), zero, affine.dtype)


def _dequantized(
    q: ir.Value, affine: Affine
) -> tuple[tuple[int, int] | None, list[ir.Value]] | None:
    """The outputs of the DequantizeLinear after q, if nothing else is there and their scale is
    that of q; with the bounds of a Clip between, if there is one."""
    if q.is_graph_output():
        return None
    users = [user for user, _ in q.uses()]
    grid = None
    if len(users) == 1 and users[0].op_type == "Clip" and users[0].domain == "":
        grid = _bounds(users[0], affine)
        q = users[0].outputs[0]
        users = [user for user, _ in q.uses()]
        if grid is None or q.is_graph_output():
            return None
    outputs = []
    for user in users:
        if user.op_type != "DequantizeLinear":
            return None
        other = Parameters(user).affine_of_tensor(user.outputs[0], affine.dtype)
        if not affine.same(other):
            return None
        outputs.append(user.outputs[0])
    return (grid, outputs) if outputs else None


def _bounds(clip: ir.Node, affine: Affine) -> tuple[int, int] | None:
    low, high = RANGES[affine.dtype]
    for index in (1, 2):
        value = clip.inputs[index] if index < len(clip.inputs) else None
        if value is None or not value.name:
            continue
        array = constant(before_identity(value))
        if array is None or array.size != 1:
            return None
        bound = int(array.reshape(()))
        low, high = (max(low, bound), high) if index == 1 else (low, min(high, bound))
    return (low, high) if low < high else None


def dequantize_linear(importer: Importer, node: ir.Node) -> None:
    """Integer to float: constants become quantized weights (biases of 32 bits plain numbers)."""
    if not node.outputs[0].uses() and not node.outputs[0].is_graph_output():
        return  # the quantizer before it is both
    parameters, w = Parameters(node), importer.writer(node)
    x = parameters.data(0, "input")
    q = constant(before_identity(x))
    tensor = importer.tensors.get(x)
    known = tensor.dtype if tensor is not None else x.dtype
    shaped = before_identity(x) if q is not None else node.outputs[0]
    affine = parameters.affine_of_tensor(shaped or x, known)
    if q is not None and affine.dtype == INT32:
        numbers = (q.astype(np.int64) - affine.zero).astype(np.float32) * affine.scale
        y = w.constant(numbers)
    elif q is not None:
        y = importer.weights(w, q.astype(np.int64), affine)
    else:
        codes = importer.codes(w, x, affine)
        y = w.op("Mul", codes, w.constant(affine.scale))
    y.shape = y.shape or node.outputs[0].shape
    if y.is_initializer() and node.outputs[0].is_graph_output():
        y = w.op("Identity", y)
    replace_value(node.outputs[0], y)
