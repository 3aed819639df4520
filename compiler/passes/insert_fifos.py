# SPDX-License-Identifier: Apache-2.0
"""insert-fifos: room where a producer runs ahead of its consumer."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from qnnc.compiler.dataflow.stream_graph import stream_graph
from qnnc.compiler.errors import OptionError
from qnnc.compiler.ir.edit import Editor
from qnnc.compiler.passes.base import Pass
from qnnc.compiler.passes.insert_width_converters import insert_between

BLOCK_BITS = 8192
"""FIFOs larger than this go to block RAM."""


@dataclass
class InsertFifos(Pass):
    """Insert StreamingFIFO nodes where buffering is needed to keep up the throughput.

    In a chain none is: every node buffers its own results until they are taken, a
    matrix-vector unit takes in the next vector while it works on one, and all others pass words
    on as they come.

    Options:
        depth: insert a FIFO of this many words on every stream, needed or not; 0 for none.
    """

    name = "insert-fifos"
    depth: int = 0

    def run(self, model: ir.Model) -> bool:
        if self.depth == 0:
            return False
        if self.depth < 2:
            raise OptionError("a FIFO holds at least 2 words")
        editor = Editor(model.graph)
        graph = stream_graph(model)
        for edge in graph.inner:
            assert edge.source is not None and edge.target is not None
            producer, consumer = graph.nodes[edge.source.node], graph.nodes[edge.target.node]
            stream = consumer.ports(consumer.folding()).inputs[edge.target.port]
            streams = [i for i, v in enumerate(consumer.node.inputs) if v and not v.const_value]
            block = self.depth * stream.bits > BLOCK_BITS
            insert_between(
                editor,
                consumer.node,
                streams[edge.target.port],
                "StreamingFIFO",
                {
                    "depth": self.depth,
                    "normal_shape": list(stream.shape),
                    "folded_shape": [
                        *stream.shape[:-1],
                        stream.shape[-1] // stream.lanes,
                        stream.lanes,
                    ],
                    "dataType": stream.datatype.name,
                    "ram_style": "block" if block else "distributed",
                },
                [producer.node, consumer.node],
            )
        return bool(graph.inner)
