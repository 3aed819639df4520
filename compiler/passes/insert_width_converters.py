# SPDX-License-Identifier: Apache-2.0
"""insert-width-converters: streams with words of different sizes at their ends get a converter."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from qnnc.compiler.dataflow.base import NewNode
from qnnc.compiler.dataflow.plumbing import width_converter
from qnnc.compiler.dataflow.stream_graph import Edge, StreamGraph, name_nodes, stream_graph
from qnnc.compiler.ir.edit import FINN, Editor, shape_of
from qnnc.compiler.ir.facts import ACCELERATOR, integer, set_integer, set_part
from qnnc.compiler.passes.base import Pass


@dataclass
class InsertWidthConverters(Pass):
    """Insert width converters between nodes of different parallelism."""

    name = "insert-width-converters"

    def run(self, model: ir.Model) -> bool:
        editor = Editor(model.graph)
        graph = stream_graph(model)
        changed = False
        for edge in graph.inner:
            changed |= _convert(editor, graph, edge)
        name_nodes(model)
        return changed


def _convert(editor: Editor, graph: StreamGraph, edge: Edge) -> bool:
    assert edge.source is not None and edge.target is not None
    producer, consumer = graph.nodes[edge.source.node], graph.nodes[edge.target.node]
    given = producer.ports(producer.folding()).outputs[edge.source.port]
    wanted = consumer.ports(consumer.folding()).inputs[edge.target.port]
    if given.lanes == wanted.lanes:
        return False
    streams = [i for i, v in enumerate(consumer.node.inputs) if v and v.const_value is None]
    index = streams[edge.target.port]
    x = consumer.node.inputs[index]
    assert x is not None
    insert_between(
        editor,
        consumer.node,
        index,
        width_converter().create(
            shape=wanted.shape, x=given.datatype, lanes_in=given.lanes, lanes_out=wanted.lanes
        ),
        [producer.node, consumer.node],
    )
    return True


def insert_between(
    editor: Editor,
    consumer: ir.Node,
    index: int,
    made: NewNode,
    origins: list[ir.Node],
) -> None:
    """Put a dataflow node that passes its input through before input `index` of `consumer`."""
    x = consumer.inputs[index]
    assert x is not None
    y = editor.insert(
        consumer,
        made.op_type,
        [x],
        made.op_type,
        domain=FINN,
        shape=shape_of(x),
        dtype=x.dtype or ir.DataType.FLOAT,
        origins=origins,
        attributes=made.attributes,
    )
    node = y.producer()
    assert node is not None
    set_part(node, ACCELERATOR)
    fact = integer(x)
    if fact is not None:
        set_integer(y, fact.with_(golden=None))
    consumer.replace_input_with(index, y)
