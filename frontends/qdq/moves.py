# SPDX-License-Identifier: Apache-2.0
"""Operators that move or compare integers, done on the floats that hold them."""

from __future__ import annotations

import onnx_ir as ir

from qnnc.compiler.ir.edit import attribute, constant, replace_value
from qnnc.frontends.qdq.importer import Importer
from qnnc.frontends.qdq.integers import INT32, RANGES
from qnnc.frontends.qdq.parameters import before_identity

MOVES = (
    "DepthToSpace",
    "Expand",
    "Flatten",
    "Gather",
    "GatherElements",
    "GatherND",
    "GlobalMaxPool",
    "Identity",
    "MaxPool",
    "ReduceMax",
    "ReduceMin",
    "Reshape",
    "Slice",
    "SpaceToDepth",
    "Squeeze",
    "Tile",
    "Transpose",
    "Unsqueeze",
)
"""Operators that hand on some of the elements of their first input."""


def move(importer: Importer, node: ir.Node) -> None:
    """The same operator on floats."""
    source = node.inputs[0]
    tensor = importer.tensors.get(source) if source is not None else None
    if source is None or tensor is None:
        if source is not None and source.dtype in RANGES:
            importer.fold(node)
        return
    if any(v.uses() or v.is_graph_output() for v in node.outputs[1:]):
        importer.give_integers(node)  # MaxPool's indices
        return
    w = importer.writer(node)
    y = w.standard(node.op_type, node, tensor.base, *node.inputs[1:])
    importer.keep(node.outputs[0], y, tensor.shift, tensor.dtype)


def split(importer: Importer, node: ir.Node) -> None:
    """Split, on floats."""
    source = node.inputs[0]
    tensor = importer.tensors.get(source) if source is not None else None
    if tensor is None:
        return
    w = importer.writer(node)
    kept = {name: a.value for name, a in node.attributes.items()}
    parts = w.ops("Split", len(node.outputs), tensor.base, *node.inputs[1:], **kept)
    for old, new in zip(node.outputs, parts, strict=True):
        importer.keep(old, new, tensor.shift, tensor.dtype)


def concat(importer: Importer, node: ir.Node) -> None:
    """Concat, on floats with one shift."""
    found = [importer.tensors.get(v) for v in node.inputs if v is not None]
    first = next((tensor for tensor in found if tensor is not None), None)
    if first is None:
        return
    w = importer.writer(node)
    parts = [importer.integer(w, v) for v in node.inputs if v is not None]
    shifts = {tensor.shift for tensor in parts}
    shift = first.shift if len(shifts) == 1 else 0
    bases = [importer.less(w, tensor, shift) for tensor in parts]
    y = w.standard("Concat", node, *bases)
    importer.keep(node.outputs[0], y, shift, first.dtype)


def pad(importer: Importer, node: ir.Node) -> None:
    """Pad with an integer: the float that stands for it."""
    source = node.inputs[0]
    tensor = importer.tensors.get(source) if source is not None else None
    if tensor is None:
        return
    filler = node.inputs[2] if len(node.inputs) > 2 else None
    array = constant(before_identity(filler)) if filler is not None else None
    if filler is not None and array is None:
        importer.give_integers(node)
        return
    w = importer.writer(node)
    number = (0 if array is None else int(array.reshape(()))) - tensor.shift
    y = w.standard("Pad", node, tensor.base, node.inputs[1], w.constant(number), *node.inputs[3:])
    importer.keep(node.outputs[0], y, tensor.shift, tensor.dtype)


def resize(importer: Importer, node: ir.Node) -> None:
    """Resize to the nearest element moves integers; interpolation is left to the integers."""
    if attribute(node, "mode", "nearest") == "nearest":
        move(importer, node)
    elif node.inputs[0] in importer.tensors:
        importer.give_integers(node)


def clip(importer: Importer, node: ir.Node) -> None:
    """Clip and Relu of integers."""
    source = node.inputs[0]
    tensor = importer.tensors.get(source) if source is not None else None
    if source is None or tensor is None:
        if source is not None and source.dtype in RANGES:
            importer.fold(node)
        return
    w = importer.writer(node)
    bounds: list[ir.Value | None] = []
    if node.op_type == "Relu":
        bounds = [w.constant(-tensor.shift)]
    for value in node.inputs[1:]:
        array = constant(before_identity(value)) if value is not None else None
        if value is not None and array is None:
            importer.give_integers(node)
            return
        bounds.append(None if array is None else w.constant(int(array.reshape(())) - tensor.shift))
    y = w.op("Clip", tensor.base, *bounds)
    importer.keep(node.outputs[0], y, tensor.shift, tensor.dtype)


def cast(importer: Importer, node: ir.Node) -> None:
    """Integers as floats, or as wider integers."""
    source = node.inputs[0]
    tensor = importer.tensors.get(source) if source is not None else None
    if tensor is None:
        return
    to = ir.DataType(attribute(node, "to"))
    w = importer.writer(node)
    if to == ir.DataType.FLOAT:
        y = importer.less(w, tensor, 0)
        y = w.op("Identity", y) if node.outputs[0].is_graph_output() else y
        y.shape = y.shape or node.outputs[0].shape
        replace_value(node.outputs[0], y, take_name=False)
    elif to == INT32:
        y = w.op("Identity", tensor.base)
        importer.keep(node.outputs[0], y, tensor.shift, INT32)
    else:
        importer.give_integers(node)


def add_integers(importer: Importer, node: ir.Node) -> None:
    """Add, Sub and Mul of int32 sums and constants."""
    found = [importer.tensors.get(v) for v in node.inputs if v is not None]
    if not any(tensor is not None and tensor.dtype == INT32 for tensor in found):
        if any(tensor is not None for tensor in found):
            importer.give_integers(node)
        return
    w = importer.writer(node)
    operands = [importer.less(w, importer.integer(w, v), 0) for v in node.inputs if v is not None]
    importer.keep(node.outputs[0], w.op(node.op_type, *operands), 0, INT32)
