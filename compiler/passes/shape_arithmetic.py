# SPDX-License-Identifier: Apache-2.0
"""Shape arithmetic: sizes that a model computes from the shapes of its tensors.

Exporters write x.view(n, -1), torch.chunk or F.pad as Shape, Gather, Concat, Slice and the like.
On fixed shapes all of that is constant. It is computed here, in ONNX Runtime, wherever an operator
takes it for a shape, an axis or an index, before any other pass judges the graph.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import onnx
import onnx_ir as ir
from onnx import defs, shape_inference

from qnnc.compiler.ir.edit import Editor, attribute, constant, remove_unused
from qnnc.compiler.ir.quantizers import quantizer
from qnnc.compiler.passes.check_model import RANDOM
from qnnc.compiler.reference import Session, expand

SIZES: dict[str, tuple[int, ...]] = {
    "Reshape": (1,),
    "Slice": (1, 2, 3, 4),
    "Expand": (1,),
    "ConstantOfShape": (0,),
    "Pad": (1, 2, 3),
    "Resize": (1, 2, 3),
    "Upsample": (1,),
    "Tile": (1,),
    "Range": (0, 1, 2),
    "Squeeze": (1,),
    "Unsqueeze": (1,),
    "Split": (1,),
    "TopK": (1,),
    "OneHot": (1,),
    "Gather": (1,),
    "GatherND": (1,),
    "GatherElements": (1,),
    "CumSum": (1,),
    "Trilu": (1,),
    **dict.fromkeys(
        (
            "ReduceMean",
            "ReduceSum",
            "ReduceMax",
            "ReduceMin",
            "ReduceProd",
            "ReduceL1",
            "ReduceL2",
            "ReduceSumSquare",
        ),
        (1,),
    ),
    "Clip": (1, 2),
}
"""Which inputs of an operator are sizes, axes, indices or bounds rather than data."""

NOT_COMPUTED = RANDOM | {"If", "Loop", "Scan"}


def fold_shape_arithmetic(model: ir.Model) -> bool:
    """Replace every size that is computed from constants and static shapes by its value; returns
    whether anything changed. One walk in topological order, in which each tensor's shape is worked
    out from the sizes before it."""
    if not any(_computed_sizes(node) for node in model.graph):
        return False
    return _Walk(model).run()


def _computed_sizes(node: ir.Node) -> list[int]:
    """Indices of size inputs that are not constant yet."""
    if node.domain != "":
        return []
    return [
        index
        for index in SIZES.get(node.op_type, ())
        if index < len(node.inputs)
        and node.inputs[index] is not None
        and constant(node.inputs[index]) is None
    ]


class _Walk:
    def __init__(self, model: ir.Model) -> None:
        self.model = model
        self.editor = Editor(model.graph)
        self.types: dict[ir.Value, onnx.TypeProto] = {}
        self.known: set[ir.Value] = set(model.graph.initializers.values())

    def run(self) -> bool:
        changed = False
        for value in self.model.graph.inputs:
            self._learn(value, value.shape, value.dtype)
        for node in list(self.model.graph):
            changed |= self._spell_out(node)
            for index in _computed_sizes(node):
                changed |= self._fold(node, index)
            if self._is_known(node):
                self.known.update(node.outputs)
            self._infer(node)
        if changed:
            remove_unused(self.model)
        return changed

    def _is_known(self, node: ir.Node) -> bool:
        """What the node gives does not depend on the model's inputs, but for their shapes."""
        if node.domain != "" or node.op_type in NOT_COMPUTED:
            return False
        return all(v is None or v in self.known for v in node.inputs)

    def _fold(self, node: ir.Node, index: int) -> bool:
        value = node.inputs[index]
        if value is None or value not in self.known:
            return False
        nodes = self._producers(value)
        found = Session(expand(self.model, inputs=[], outputs=[value], nodes=nodes)).run({})
        array = found[str(value.name)]
        folded = self.editor.initializer(f"{value.name}_folded", array)
        self.known.add(folded)
        for user, place in list(value.uses()):
            if place in SIZES.get(user.op_type, ()) and user.domain == "":
                user.replace_input_with(place, folded)
        return True

    def _producers(self, value: ir.Value) -> list[ir.Node]:
        """The nodes that compute a known tensor, in order."""
        order: list[ir.Node] = []
        seen: set[ir.Node] = set()
        stack: list[tuple[ir.Node | None, bool]] = [(value.producer(), False)]
        while stack:
            node, done = stack.pop()
            if node is None or (node in seen and not done):
                continue
            if done:
                order.append(node)
                continue
            seen.add(node)
            stack.append((node, True))
            stack += [(v.producer(), False) for v in node.inputs if v is not None]
        return order

    def _spell_out(self, node: ir.Node) -> bool:
        """Let what uses a Shape or Size of a tensor whose shape is known use the numbers."""
        source, output = node.inputs[0], node.outputs[0]
        if node.domain != "" or node.op_type not in ("Shape", "Size") or source is None:
            return False
        if source not in self.types or not output.uses():
            return False
        dims = np.array([d.dim_value for d in self.types[source].tensor_type.shape.dim], np.int64)
        array = dims[attribute(node, "start", 0) : attribute(node, "end", None)]
        if node.op_type == "Size":
            array = np.asarray(np.prod(dims, dtype=np.int64))
        held = self.editor.initializer(f"{output.name}_value", array)
        for user, place in list(output.uses()):
            user.replace_input_with(place, held)
        self.known.add(held)
        return True

    # --- shapes -----------------------------------------------------------------------------

    def _learn(self, value: ir.Value, shape: ir.Shape | None, dtype: ir.DataType | None) -> None:
        if shape is None or dtype is None or not all(isinstance(d, int) for d in shape):
            return
        dims = [int(d) for d in shape]  # type: ignore[arg-type]
        self.types[value] = onnx.helper.make_tensor_type_proto(int(dtype), dims)

    def _infer(self, node: ir.Node) -> None:
        """Work out the types of a node's outputs, where those of its inputs are known."""
        found = quantizer(node)
        if found is not None:
            source = found.input
            kind = self._type(source)
            if kind is not None:
                self.types[node.outputs[0]] = kind
            return
        inputs = [v for v in node.inputs if v is not None]
        kinds = {str(v.name): self._type(v) for v in inputs}
        if node.domain != "" or any(kind is None for kind in kinds.values()):
            return
        schema = _schema(node.op_type, int(self.model.graph.opset_imports.get("", 21)))
        if schema is None:
            return
        data = {
            str(v.name): ir.to_proto(v.const_value)
            for v in inputs
            if _is_small(v) and v.const_value is not None
        }
        proto = ir.to_proto(node)
        if not isinstance(proto, onnx.NodeProto):
            return
        try:
            types = shape_inference.infer_node_outputs(
                schema,
                proto,
                {name: kind for name, kind in kinds.items() if kind is not None},
                {n: t for n, t in data.items() if isinstance(t, onnx.TensorProto)},
            )
        except Exception:  # wrong nodes are for other passes to name
            return
        for value in node.outputs:
            kind = types.get(str(value.name))
            if kind is not None and _is_static(kind):
                self.types[value] = kind

    def _type(self, value: ir.Value | None) -> onnx.TypeProto | None:
        if value is None:
            return None
        array = constant(value)
        if value not in self.types and array is not None and value.const_value is not None:
            self._learn(value, ir.Shape(array.shape), value.const_value.dtype)
        return self.types.get(value)


def _schema(name: str, opset: int) -> defs.OpSchema | None:
    try:
        return defs.get_schema(name, opset, "")
    except defs.SchemaError:
        return None


def _is_small(value: ir.Value) -> bool:
    array = constant(value)
    return array is not None and array.size <= 64


def _is_static(kind: onnx.TypeProto) -> bool:
    tensor = kind.tensor_type
    dims: Iterable[onnx.TensorShapeProto.Dimension] = tensor.shape.dim
    return tensor.HasField("shape") and all(d.HasField("dim_value") for d in dims)
