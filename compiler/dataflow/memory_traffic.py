# SPDX-License-Identifier: Apache-2.0
"""What a folded accelerator reads from memory and writes to it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from qnnc.compiler.dataflow.base import DataflowNode, Stream
from qnnc.compiler.dataflow.stream_graph import Edge, StreamGraph
from qnnc.compiler.memory_ports import Traffic, word_bytes


def traffic(graph: StreamGraph) -> Traffic:
    """Bytes and cycles of a batch, by the nodes' foldings; a frame is a batch of one."""
    batch = batch_of(graph.nodes)
    fetched = [round(node.weight_bytes(node.folding()) * batch) for node in graph.nodes]
    return Traffic(
        tuple(_bytes(boundary_stream(graph, edge)) * batch for edge in graph.inputs),
        tuple(count for count in fetched if count),
        tuple(_bytes(boundary_stream(graph, edge)) * batch for edge in graph.outputs),
        batch_cycles(graph.nodes, batch),
    )


def batch_of(nodes: Iterable[DataflowNode]) -> int:
    """Frames that go in before the first comes out."""
    return math.lcm(*(node.batch(node.folding()) for node in nodes))


def batch_cycles(nodes: Sequence[DataflowNode], batch: int) -> int:
    """Cycles that the slowest node takes for a batch."""
    return batch * max((math.ceil(node.cycles(node.folding())) for node in nodes), default=0)


def boundary_stream(graph: StreamGraph, edge: Edge) -> Stream:
    """The stream of an edge across the accelerator's boundary, as its node has it."""
    end = edge.target or edge.source
    assert end is not None
    node = graph.nodes[end.node]
    ports = node.ports(node.folding())
    return (ports.inputs if edge.target else ports.outputs)[end.port]


def _bytes(stream: Stream) -> int:
    return stream.words * word_bytes(stream.bits)
