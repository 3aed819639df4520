# SPDX-License-Identifier: Apache-2.0
"""insert-fifos: room where a producer runs ahead of its consumer."""

from __future__ import annotations

import math
from dataclasses import dataclass

import onnx_ir as ir

from qnnc.compiler.dataflow.plumbing import fifo
from qnnc.compiler.dataflow.stream_graph import StreamGraph, name_nodes, stream_graph
from qnnc.compiler.errors import OptionError
from qnnc.compiler.ir.edit import Editor
from qnnc.compiler.passes.base import Pass
from qnnc.compiler.passes.insert_width_converters import insert_between

BLOCK_BITS = 8192
"""FIFOs larger than this go to block RAM."""
MARGIN = 4
"""Words more than the schedules say, for what they round."""


@dataclass
class InsertFifos(Pass):
    """Insert FIFOs where buffering is needed to keep up the throughput.

    Depths come from the nodes' schedules (`compiler/buffering`). In a chain of dense layers none
    is needed: every node buffers its own results until they are taken, a matrix-vector unit
    takes in the next vector while it works on one, and all others pass words on as they come.

    Options:
        depth: insert a FIFO of this many words on every stream instead; 0 for what is needed. With
            2, a stream passes a word in every other cycle.
    """

    name = "insert-fifos"
    depth: int = 0

    def run(self, model: ir.Model) -> bool:
        from qnnc.compiler.buffering.depths import fifo_depths  # brings networkx, slow to load

        if self.depth == 1 or self.depth < 0:
            raise OptionError("a FIFO holds at least 2 words")
        editor = Editor(model.graph)
        graph = stream_graph(model)
        if self.depth:
            wanted = dict.fromkeys(range(len(graph.inner)), (self.depth, "asked for"))
        else:
            wanted = {
                found.edge: (self._words(graph, found.edge, found.elements), found.reason)
                for found in fifo_depths(graph)
            }
        for edge, (depth, reason) in wanted.items():
            _insert(editor, graph, edge, depth, reason)
        name_nodes(model)
        return bool(wanted)

    @staticmethod
    def _words(graph: StreamGraph, edge: int, elements: int) -> int:
        target = graph.inner[edge].target
        assert target is not None
        node = graph.nodes[target.node]
        stream = node.ports(node.folding()).inputs[target.port]
        return math.ceil(elements / stream.lanes) + MARGIN


def _insert(editor: Editor, graph: StreamGraph, index: int, depth: int, reason: str) -> None:
    edge = graph.inner[index]
    assert edge.source is not None and edge.target is not None
    producer, consumer = graph.nodes[edge.source.node], graph.nodes[edge.target.node]
    stream = consumer.ports(consumer.folding()).inputs[edge.target.port]
    block = depth * stream.bits > BLOCK_BITS
    insert_between(
        editor,
        consumer.node,
        consumer.stream_inputs[edge.target.port],
        fifo().create(stream=stream, depth=depth, block=block, reason=reason),
        [producer.node, consumer.node],
    )
