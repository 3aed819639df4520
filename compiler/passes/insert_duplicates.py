# SPDX-License-Identifier: Apache-2.0
"""insert-duplicates: a stream with several consumers becomes several streams."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from qnnc.compiler.dataflow import is_dataflow
from qnnc.compiler.dataflow.plumbing import copier
from qnnc.compiler.dataflow.stream_graph import name_nodes
from qnnc.compiler.integer.layout import OPERATORS as LAYOUTS
from qnnc.compiler.ir.edit import FINN, Editor, shape_of
from qnnc.compiler.ir.facts import ACCELERATOR, Integer, integer, part, set_integer, set_part
from qnnc.compiler.passes.base import Pass


@dataclass
class InsertDuplicates(Pass):
    """Insert copies wherever a stream has more than one consumer."""

    name = "insert-duplicates"

    def run(self, model: ir.Model) -> bool:
        editor = Editor(model.graph)
        outputs = set(model.graph.outputs)
        values = [v for v in model.graph.inputs if integer(v) is not None]
        values += [v for node in model.graph for v in node.outputs]
        changed = False
        for value in values:
            if integer(value) is not None:
                changed |= _duplicate(editor, value, value in outputs)
        name_nodes(model)
        return changed


def _duplicate(editor: Editor, value: ir.Value, is_output: bool) -> bool:
    producer = value.producer()
    inside = [(user, i) for user, i in value.uses() if _is_inside(user)]
    host = is_output or any(not _is_inside(user) for user, _ in value.uses())
    from_host = producer is None or part(producer) != ACCELERATOR
    count = len(inside) + int(host and not from_host)
    if not inside or count < 2:
        return False
    fact, shape = integer(value), shape_of(value)
    assert fact is not None
    taking = value.uses() if host and not from_host else inside
    first = min((user for user, _ in taking), key=editor.position)
    made = copier().create(shape=shape, x=fact.type, copies=count)
    y = editor.insert(
        first,
        made.op_type,
        [value],
        made.op_type,
        domain=FINN,
        dtype=value.dtype or ir.DataType.FLOAT,
        origins=[producer] if producer is not None else (),
        attributes=made.attributes,
        outputs=count,
    )
    node = y.producer()
    assert node is not None
    set_part(node, ACCELERATOR)
    whole = Integer.of(fact.low.min(), fact.high.max(), datatype=fact.type)
    for copy in node.outputs:
        copy.shape = value.shape
        set_integer(copy, whole)
    for (user, index), copy in zip(inside, node.outputs, strict=False):
        user.replace_input_with(index, copy)
    if host and not from_host:
        _give_host(value, node.outputs[-1], node, is_output)
    return True


def _give_host(value: ir.Value, copy: ir.Value, node: ir.Node, is_output: bool) -> None:
    """The host takes the last copy."""
    for user, index in list(value.uses()):
        if user is not node and not _is_inside(user):
            user.replace_input_with(index, copy)
    if is_output:
        graph = node.graph
        assert graph is not None
        for index, output in enumerate(graph.outputs):
            if output is value:
                graph.outputs[index] = copy
        value.name, copy.name = f"{value.name}#inside", value.name


def _is_inside(node: ir.Node) -> bool:
    return is_dataflow(node) or (part(node) == ACCELERATOR and node.op_type in LAYOUTS)
