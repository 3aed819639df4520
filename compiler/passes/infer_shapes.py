# SPDX-License-Identifier: Apache-2.0
"""infer-shapes: static shapes everywhere, with a batch of one."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

import onnx_ir as ir
from onnx_ir.passes.common import ShapeInferencePass

from qnnc.compiler.errors import ModelError, quote
from qnnc.compiler.integer.window import window_of
from qnnc.compiler.ir.edit import attribute, constant, shape_of
from qnnc.compiler.ir.quantizers import quantizer
from qnnc.compiler.passes.base import Pass
from qnnc.compiler.passes.shape_arithmetic import fold_shape_arithmetic
from qnnc.compiler.reference import expand


@dataclass
class InferShapes(Pass):
    """Infer static shapes and types of all tensors, the batch being one.

    Options:
        max_elements: tensors with more elements are refused.
    """

    name = "infer-shapes"
    max_elements: int = 1 << 28

    def run(self, model: ir.Model) -> bool:
        for value in model.graph.inputs:
            _fix_batch(value)
        folded = fold_shape_arithmetic(model)
        for value in model.graph.outputs:
            if value.producer() is not None:
                value.shape = None  # exporters leave symbols here that contradict the input
        quantized = {node: q.input for node in model.graph if (q := quantizer(node))}
        plain = _inferred(model, quantized)
        known = {v.name: v for node in plain.graph for v in node.outputs}
        # a quantizer's output is as its input, which may be an input of the graph or a constant
        known |= {node.outputs[0].name: source for node, source in quantized.items()}
        changed = folded
        for node in model.graph:
            for value in node.outputs:
                inferred = known.get(value.name)
                if inferred is None:
                    continue
                if inferred.shape is not None and inferred.shape != value.shape:
                    value.shape = inferred.shape
                    changed = True
                if inferred.type is not None:
                    value.type = inferred.type
        self._check_sizes(model)
        for node in quantized:
            _check_parameters(node)
        return changed

    def _check_sizes(self, model: ir.Model) -> None:
        values = [*model.graph.inputs, *(v for node in model.graph for v in node.outputs)]
        for value in values:
            size = math.prod(d for d in value.shape or [] if isinstance(d, int))
            if size == 0 and value.is_graph_input():
                raise ModelError(f"input {quote(value.name)} has no elements")
            if size > self.max_elements:
                raise ModelError(f"tensor {quote(value.name)} has {size:,} elements")


def _inferred(model: ir.Model, skip: Collection[ir.Node]) -> ir.Model:
    """The model in standard operators, with shapes. With ceil_mode, ONNX's shape inference counts
    pooling windows that start in the padding, which ONNX Runtime drops: such a pool gets pads that
    leave no doubt."""
    pads: dict[str, list[int]] = {}
    while True:
        plain = expand(model, skip=skip, cut=True)
        for node in plain.graph if pads else ():
            if (given := pads.get(str(node.outputs[0].name))) is not None:
                node.attributes["pads"] = ir.AttrInt64s("pads", given)
                node.attributes["ceil_mode"] = ir.AttrInt64("ceil_mode", 0)
                node.attributes.pop("auto_pad", None)
        inferring = ShapeInferencePass(check_type=False, strict_mode=False, data_prop=True)
        found = inferring(plain).model
        wrong = next((node for node in found.graph if _counts_too_many(node)), None)
        if wrong is None:
            return found
        window, start = window_of(wrong), 4 - len(shape_of(wrong.outputs[0]))
        pads[str(wrong.outputs[0].name)] = [*window.before[start:], *window.after[start:]]


def _counts_too_many(node: ir.Node) -> bool:
    """A pool with ceil_mode whose inferred shape is not that of its windows."""
    if node.op_type not in ("MaxPool", "AveragePool") or not attribute(node, "ceil_mode", 0):
        return False
    shapes = [v.shape for v in (node.inputs[0], node.outputs[0]) if v is not None]
    if any(shape is None or not shape.is_static() or len(shape) not in (3, 4) for shape in shapes):
        return False
    out = shape_of(node.outputs[0])
    return out[2:] != window_of(node).out[4 - len(out) :]


def _check_parameters(node: ir.Node) -> None:
    """Scale and zero point of a quantizer must broadcast to its input's shape."""
    x = node.inputs[0] if node.inputs else None
    if x is None or x.shape is None:
        return
    dims = [d if isinstance(d, int) else None for d in x.shape]
    for value in node.inputs[1:]:
        array = constant(value)
        if array is None or array.size == 1 or value is None:
            continue
        ends = dims[len(dims) - array.ndim :] if array.ndim <= len(dims) else None
        if ends is None or any(
            want is not None and have not in (1, want)
            for have, want in zip(array.shape, ends, strict=True)
        ):
            raise ModelError(
                f"node {quote(node.name)}: its parameter {quote(value.name)} of shape "
                f"{list(array.shape)} does not fit {quote(x.name)} of shape {dims}"
            )


def _fix_batch(value: ir.Value) -> None:
    if value.shape is None or value.shape.rank() == 0:
        raise ModelError(
            f"input {quote(value.name)} has no shape; export the model with an example input"
        )
    dims = [d if isinstance(d, int) else None for d in value.shape]
    if any(d is None for d in dims[1:]):
        shown = ", ".join("?" if d is None else str(d) for d in dims)
        raise ModelError(
            f"input {quote(value.name)} has a dynamic shape [{shown}]: only the batch may be "
            "free; export the model with fixed dimensions"
        )
    if any(d is not None and d <= 0 for d in dims):
        raise ModelError(f"input {quote(value.name)} has an empty dimension: {dims}")
    if dims[0] is not None and dims[0] != 1:
        raise ModelError(
            f"input {quote(value.name)} has a batch of {dims[0]}; export the model with a batch "
            "of 1"
        )
    value.shape = ir.Shape([1, *[int(d) for d in dims[1:] if d is not None]])
