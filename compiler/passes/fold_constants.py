# SPDX-License-Identifier: Apache-2.0
"""fold-constants: what does not depend on the input is computed now."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from qnnc.compiler.errors import ModelError, quote
from qnnc.compiler.ir.edit import (
    Editor,
    attribute,
    constant,
    remove_unused,
    replace_value,
    shape_of,
)
from qnnc.compiler.ir.facts import Integer, integer, origin, set_integer, set_origin
from qnnc.compiler.ir.quantizers import QUANTIZERS
from qnnc.compiler.passes.base import Pass
from qnnc.compiler.reference import Session, expand

NOT_FOLDED = frozenset({"If", "Loop", "Scan"})


@dataclass
class FoldConstants(Pass):
    """Compute constant subgraphs in ONNX Runtime, keeping quantized weights as integers."""

    name = "fold-constants"
    folds = "what it gives is constant"
    max_elements: int = 1 << 26

    def run(self, model: ir.Model) -> bool:
        editor = Editor(model.graph)
        emptied = _drop_empty(model, editor)
        folded: list[ir.Node] = []
        known: set[ir.Value] = set(model.graph.initializers.values())
        for node in model.graph:
            if node.domain == "" and node.op_type == "Shape":
                known.update(_fold_shape(editor, node))
            if self._foldable(node, known):
                folded.append(node)
                known.update(v for v in node.outputs if integer(v) is None)
        if folded:
            self._evaluate(model, editor, folded)
        return remove_unused(model) > 0 or bool(folded) or emptied

    def _foldable(self, node: ir.Node, known: set[ir.Value]) -> bool:
        if node.op_type in NOT_FOLDED or node.op_type in QUANTIZERS:
            return False
        if any(v is not None and v not in known for v in node.inputs):
            return False
        for value in node.outputs:
            if value.is_graph_output():
                return False
            dims = [d for d in value.shape or [] if isinstance(d, int)]
            if math.prod(dims) > self.max_elements:
                raise ModelError(
                    f"node {quote(node.name)} would make a constant of {math.prod(dims)} elements"
                )
        return True

    def _evaluate(self, model: ir.Model, editor: Editor, folded: list[ir.Node]) -> None:
        inside = set(folded)
        wanted = [
            value
            for node in folded
            for value in node.outputs
            if any(user not in inside for user, _ in value.uses()) or integer(value) is not None
        ]
        plain = expand(model, inputs=[], outputs=wanted, nodes=folded)
        results = Session(plain).run({})
        for value in wanted:
            fact = integer(value)
            replaced = editor.initializer(f"{value.name}_folded", results[str(value.name)])
            set_integer(replaced, _narrowed(fact, results[str(value.name)]))
            set_origin(replaced, _largest_leaf(value))
            replace_value(value, replaced)


def _drop_empty(model: ir.Model, editor: Editor) -> bool:
    """Tensors without elements become constants, and parts of a Concat without any go."""
    graph, changed = model.graph, False
    nothing_else = bool(graph.outputs) and all(_is_empty(value) for value in graph.outputs)
    if nothing_else and not all(_is_cut_off(value) for value in graph.outputs):
        changed = _fill_empty(model, editor)
    for node in list(graph):
        if node.op_type == "Concat" and node.domain == "":
            kept = [v for v in node.inputs if v is not None and not _is_empty(v)]
            if kept and len(kept) < len(node.inputs):
                y = editor.insert(
                    node,
                    "Concat",
                    kept,
                    f"{node.outputs[0].name}_filled",
                    shape=shape_of(node.outputs[0]),
                    dtype=node.outputs[0].dtype or ir.DataType.FLOAT,
                    attributes={"axis": attribute(node, "axis")},
                    origins=(node,),
                )
                replace_value(node.outputs[0], y)
                changed = True
        for value in node.outputs:
            if nothing_else and value.is_graph_output():
                continue
            if value.dtype == ir.DataType.FLOAT and _is_empty(value):
                nothing = editor.initializer(
                    f"{value.name}_empty", np.zeros(shape_of(value), dtype=np.float32)
                )
                replace_value(value, nothing)
                changed = True
    return changed


def _is_cut_off(value: ir.Value) -> bool:
    """It is without elements, but made of a tensor with some."""
    node = value.producer()
    source = node.inputs[0] if node is not None and node.op_type == "Tile" else None
    return source is not None and not _is_empty(source) and constant(source) is None


def _fill_empty(model: ir.Model, editor: Editor) -> bool:
    """A network all of whose outputs are without elements, as its weights are: sizes of 0 become
    1, with weights of 0, so that there is an accelerator, and the host cuts its results off.

    Raises:
        ModelError: it is not for the weights that the outputs are empty.
    """
    graph = model.graph
    weights = [value for value in graph.initializers.values() if _is_empty(value)]
    if not weights:
        first = graph.outputs[0]
        raise ModelError(
            f"output {quote(first.name)} has no elements: its shape is {list(shape_of(first))}; "
            "give it some, or leave it out"
        )
    wanted = [(value, shape_of(value)) for value in graph.outputs]
    for value in weights:
        sizes = [max(1, size) for size in shape_of(value)]
        dtype = value.const_value.numpy().dtype if value.const_value is not None else np.float32
        replace_value(value, editor.initializer(f"{value.name}_filled", np.zeros(sizes, dtype)))
    for node in graph:
        for value in node.outputs:
            if _is_empty(value):
                value.shape = ir.Shape([max(1, size) for size in shape_of(value)])
                value.name = editor.fresh(f"{value.name}_filled")
    for index, (value, shape) in enumerate(wanted):
        graph.outputs[index] = _cut_off(editor, value, shape)
    return True


def _cut_off(editor: Editor, value: ir.Value, shape: tuple[int, ...]) -> ir.Value:
    """A tensor without its elements: by an operator that is not one of the accelerator's."""
    name, kind = str(value.name).removesuffix("_filled"), value.dtype or ir.DataType.FLOAT
    times = editor.initializer(f"{name}_times", np.minimum(shape, 1).astype(np.int64))
    cut = editor.insert(None, "Tile", [value, times], f"{name}_cut", shape=shape, dtype=kind)
    cut.name = name
    return cut


def _is_empty(value: ir.Value) -> bool:
    return value.shape is not None and any(size == 0 for size in value.shape)


def _largest_leaf(value: ir.Value) -> str:
    """Name of the largest of the constants that a tensor is computed from: weights, rather than
    their scale."""
    best, size = str(value.name), -1
    stack, seen = [value], set[ir.Value]()
    while stack:
        current = stack.pop()
        node = current.producer()
        if current in seen:
            continue
        seen.add(current)
        if node is not None:
            stack += [v for v in node.inputs if v is not None]
        elif current.const_value is not None and current.const_value.size > size:
            best, size = origin(current), current.const_value.size
    return best


def _fold_shape(editor: Editor, node: ir.Node) -> list[ir.Value]:
    """Replace the Shape of a tensor whose shape is known; returns the new constant, if any."""
    source = node.inputs[0]
    if source is None or source.shape is None or node.outputs[0].is_graph_output():
        return []
    if not all(isinstance(d, int) for d in source.shape):
        return []
    dims = np.array(shape_of(source), dtype=np.int64)
    dims = dims[attribute(node, "start", 0) : attribute(node, "end", None)]
    folded = editor.initializer(f"{node.outputs[0].name}_folded", dims)
    replace_value(node.outputs[0], folded)
    return [folded]


def _narrowed(fact: Integer | None, values: NDArray[Any]) -> Integer | None:
    """The fact of a constant: its range is that of its values."""
    if fact is None:
        return None
    return fact.with_(
        low=np.asarray(values.min(), np.int64), high=np.asarray(values.max(), np.int64)
    )
