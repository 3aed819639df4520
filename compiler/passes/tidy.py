# SPDX-License-Identifier: Apache-2.0
"""tidy: the form that every other pass relies on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from onnx_ir.passes.common import LiftConstantsToInitializersPass

from qnnc.compiler.ir.edit import (
    Editor,
    attribute,
    constant,
    remove_unused,
    replace_value,
    shape_of,
)
from qnnc.compiler.ir.facts import set_derived
from qnnc.compiler.passes.base import Pass


@dataclass
class Tidy(Pass):
    """Make Constants initializers and regular Gathers Slices, split off biases; drop Identity."""

    name = "tidy"
    folds = "it changes nothing when the network is run"

    def run(self, model: ir.Model) -> bool:
        before = model.graph.num_nodes()
        changed = LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(
            model
        ).modified
        editor = Editor(model.graph)
        for node in model.graph:
            if node.domain != "":
                continue
            if node.op_type in ("Identity", "Dropout") or _moves_nothing(node):
                changed |= _bypass(node)
            elif node.op_type == "Pad":
                changed |= _split_crop(editor, node)
            elif node.op_type == "Gemm":
                _split_gemm(editor, node)
                changed = True
            elif node.op_type in ("Conv", "ConvTranspose"):
                changed |= _split_bias(editor, node)
            elif node.op_type == "Gather":
                changed |= _slice_instead(editor, node)
        remove_unused(model)
        return changed or model.graph.num_nodes() != before


def _moves_nothing(node: ir.Node) -> bool:
    """A Slice or Pad of nothing, a Concat of one tensor, a Transpose or Reshape to the same."""
    source = node.inputs[0] if node.inputs else None
    shapes = [v.shape for v in (source, node.outputs[0]) if v is not None]
    if len(shapes) < 2 or None in shapes or shapes[0] != shapes[1]:
        return False
    if node.op_type == "Slice":
        steps = constant(node.inputs[4]) if len(node.inputs) > 4 else np.ones(1)
        return steps is not None and bool(np.all(steps > 0))
    if node.op_type == "Transpose":
        perm = attribute(node, "perm")
        return perm is not None and list(perm) == sorted(perm)
    if node.op_type == "Concat":
        return len(node.inputs) == 1
    if node.op_type == "Pad":
        pads = constant(node.inputs[1]) if len(node.inputs) > 1 else None
        return pads is not None and not np.any(pads)
    return node.op_type in ("Reshape", "Flatten", "Expand")


def _bypass(node: ir.Node) -> bool:
    source, output = node.inputs[0], node.outputs[0]
    if source is None or (output.is_graph_output() and source.is_graph_input()):
        return False
    if len(node.outputs) > 1 and node.outputs[1].uses():
        return False  # Dropout's mask is wanted
    if output.is_graph_output() and (source.is_graph_output() or source.is_initializer()):
        return False
    if source.shape is None:
        source.shape = output.shape
    replace_value(output, source, take_name=False)
    return True


def _split_crop(editor: Editor, node: ir.Node) -> bool:
    """A Pad with negative sizes becomes a Slice, and a Pad if there are positive ones as well."""
    source, output = node.inputs[0], node.outputs[0]
    pads = constant(node.inputs[1]) if len(node.inputs) > 1 else None
    if source is None or source.shape is None or pads is None or not np.any(pads < 0):
        return False
    if attribute(node, "mode", "constant") != "constant":
        return False
    sizes = shape_of(source)
    axes = constant(node.inputs[3]) if len(node.inputs) > 3 else None
    names = np.arange(len(sizes)) if axes is None else axes.reshape(-1) % len(sizes)
    before, after = pads.reshape(-1)[: names.size], pads.reshape(-1)[names.size :]
    of_axes = np.array(sizes)[names]
    starts, ends = np.maximum(-before, 0), of_axes - np.maximum(-after, 0)
    if np.any(starts >= ends):
        return False
    y = editor.insert(
        node,
        "Slice",
        [
            source,
            *(
                editor.initializer(f"{output.name}_{what}", np.asarray(array, dtype=np.int64))
                for what, array in (("starts", starts), ("ends", ends), ("axes", names))
            ),
        ],
        f"{output.name}_cropped",
        shape=[
            int((ends - starts)[names.tolist().index(axis)]) if axis in names else size
            for axis, size in enumerate(sizes)
        ],
        dtype=source.dtype or ir.DataType.FLOAT,
        origins=(node,),
    )
    set_derived(y)
    if np.any(pads > 0):
        positive = editor.initializer(f"{output.name}_pads", np.maximum(pads, 0))
        y = editor.insert(
            node,
            "Pad",
            [y, positive, *node.inputs[2:]],
            f"{output.name}_padded",
            shape=shape_of(output),
            dtype=source.dtype or ir.DataType.FLOAT,
            origins=(node,),
        )
    set_derived(y, False)
    replace_value(output, y)
    return True


def _split_gemm(editor: Editor, node: ir.Node) -> None:
    a, b = node.inputs[0], node.inputs[1]
    base = node.outputs[0].name or "gemm"
    origins = (node,)
    for index, name in enumerate(("transA", "transB")):
        if attribute(node, name, 0):
            operand = (a, b)[index]
            flipped = editor.insert(
                node,
                "Transpose",
                [operand],
                f"{base}_{name}",
                attributes={"perm": [1, 0]},
                origins=origins,
            )
            a, b = (flipped, b) if index == 0 else (a, flipped)
    y = editor.insert(node, "MatMul", [a, b], f"{base}_product", origins=origins)
    set_derived(y)
    y = _scaled(editor, node, y, "alpha")
    set_derived(y)
    bias = node.inputs[2] if len(node.inputs) > 2 else None
    if bias is not None:
        beta = _scaled(editor, node, bias, "beta")
        array = constant(beta)
        if array is None or np.any(array):
            y = editor.insert(node, "Add", [y, beta], f"{base}_biased", origins=origins)
    y.shape = node.outputs[0].shape
    set_derived(y, False)
    replace_value(node.outputs[0], y)


def _split_bias(editor: Editor, node: ir.Node) -> bool:
    """Conv with a bias becomes Conv and Add."""
    bias = node.inputs[2] if len(node.inputs) > 2 else None
    if bias is None:
        return False
    output, base = node.outputs[0], node.outputs[0].name or "conv"
    origins = (node,)
    spatial = attribute(node, "kernel_shape")
    weights = node.inputs[1]
    rank = len(spatial) if spatial is not None else len(shape_of(weights)) - 2 if weights else 2
    axes = editor.initializer(f"{base}_axes", np.arange(1, rank + 1, dtype=np.int64))
    spread = editor.insert(node, "Unsqueeze", [bias, axes], f"{base}_bias", origins=origins)
    attributes = {name: a.value for name, a in node.attributes.items()}
    y = editor.insert(
        node,
        node.op_type,
        list(node.inputs[:2]),
        f"{base}_product",
        attributes=attributes,
        origins=origins,
    )
    y.shape = output.shape
    set_derived(y)
    biased = editor.insert(node, "Add", [y, spread], f"{base}_biased", origins=origins)
    biased.shape = output.shape
    replace_value(output, biased)
    return True


def _slice_instead(editor: Editor, node: ir.Node) -> bool:
    """A Gather of places at equal distances, such as x[:, -1] or x[:, ::2], is a Slice, and a
    Reshape where it drops the axis."""
    source, index = node.inputs[0], constant(node.inputs[1])
    output = node.outputs[0]
    if source is None or constant(source) is not None or index is None or not index.size:
        return False
    if source.shape is None or output.shape is None or index.ndim > 1:
        return False
    shape = shape_of(source)
    axis = int(attribute(node, "axis", 0)) % len(shape)
    places = index.reshape(-1).astype(np.int64) % shape[axis]
    steps = np.diff(places)
    step = int(steps[0]) if steps.size else 1
    if step < 1 or np.any(steps != step):
        return False
    base = output.name or "gather"
    numbers = (int(places[0]), int(places[-1]) + 1, axis, step)
    operands = [
        editor.initializer(f"{base}_{name}", np.array([number], np.int64))
        for name, number in zip(("start", "end", "axis", "step"), numbers, strict=True)
    ]
    dtype = source.dtype or ir.DataType.FLOAT
    kept = [*shape[:axis], places.size, *shape[axis + 1 :]]
    y = editor.insert(
        node,
        "Slice",
        [source, *operands],
        f"{base}_slice",
        shape=kept,
        dtype=dtype,
        origins=(node,),
    )
    if index.ndim == 0:
        target = editor.initializer(f"{base}_shape", np.array(shape_of(output), np.int64))
        set_derived(y)
        y = editor.insert(
            node,
            "Reshape",
            [y, target],
            f"{base}_dropped",
            shape=shape_of(output),
            dtype=dtype,
            origins=(node,),
        )
    replace_value(output, y)
    return True


def _scaled(editor: Editor, node: ir.Node, value: ir.Value, name: str) -> ir.Value:
    factor = float(attribute(node, name, 1.0))
    if factor == 1.0:
        return value
    scale = editor.initializer(f"{value.name}_{name}", np.float32(factor).reshape(()))
    return editor.insert(node, "Mul", [value, scale], f"{value.name}_scaled", origins=(node,))
