# SPDX-License-Identifier: Apache-2.0
"""The accelerator as a graph of dataflow nodes and the streams between them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import onnx_ir as ir

from qnnc.compiler.dataflow import DataflowNode, declaration, is_dataflow
from qnnc.compiler.ir.facts import ACCELERATOR, part
from qnnc.compiler.ir.layouts import OPERATORS as LAYOUTS
from qnnc.compiler.ir.operators.states import is_read, is_write, loop_of, loops_in


@dataclass(frozen=True)
class End:
    """One end of a stream: port `port` of node number `node`."""

    node: int
    port: int


@dataclass(frozen=True)
class Edge:
    """A stream from one node to another, or across the accelerator's boundary.

    Attributes:
        value: the tensor that passes, as its producer gives it.
        source: where it comes from, or None for an input of the accelerator.
        target: where it ends, or None for an output of the accelerator.
    """

    value: ir.Value
    source: End | None
    target: End | None


@dataclass(frozen=True)
class StreamGraph:
    """Nodes in topological order, and edges; reshapes that keep the order are seen through.

    Attributes:
        nodes: in topological order of the edges.
        edges: streams that are tensors of the graph.
        feedback: streams of recurrences from their end back to their start, which are not.
    """

    nodes: tuple[DataflowNode, ...]
    edges: tuple[Edge, ...]
    feedback: tuple[Edge, ...] = ()

    @property
    def inputs(self) -> list[Edge]:
        """Streams into the accelerator."""
        return [edge for edge in self.edges if edge.source is None]

    @property
    def outputs(self) -> list[Edge]:
        """Streams out of the accelerator."""
        return [edge for edge in self.edges if edge.target is None]

    @cached_property
    def looped(self) -> frozenset[int]:
        """Numbers of the nodes that lie in recurrences."""
        own = self.nodes[0].node.graph if self.feedback else None
        found = {n for loop in loops_in(own or ()) for n in (loop.read, *loop.inside, loop.write)}
        return frozenset(i for i, node in enumerate(self.nodes) if node.node in found)

    @cached_property
    def inner(self) -> list[Edge]:
        """Streams between nodes."""
        return [edge for edge in self.edges if edge.source is not None and edge.target is not None]


def instance_names(nodes: Iterable[DataflowNode]) -> list[str]:
    """Names for nodes, of their kind and number in the order of the graph: `mvau_0`."""
    counts: Counter[str] = Counter()
    names = []
    for node in nodes:
        names.append(f"{node.short_name}_{counts[node.short_name]}")
        counts[node.short_name] += 1
    return names


def name_nodes(model: ir.Model) -> None:
    """Call every dataflow node what it will be called in hardware, so that a reader meets one name
    at every stage. Passes that put such nodes in call it at their end."""
    nodes = [declaration(node) for node in model.graph if is_dataflow(node)]
    for node, name in zip(nodes, instance_names(nodes), strict=True):
        node.node.name = name


def stream_graph(model: ir.Model) -> StreamGraph:
    """Read the stream graph off a model that has been lowered to dataflow nodes."""
    nodes = [node for node in model.graph if is_dataflow(node)]
    index = {node: i for i, node in enumerate(nodes)}
    declared = tuple(declaration(node) for node in nodes)
    edges: list[Edge] = []
    for i, node in enumerate(nodes):
        for port, value in enumerate(v for v in node.inputs if _is_stream(v)):
            source = _origin(value)
            producer = source.producer()
            if producer is None or producer not in index:
                edges.append(Edge(source, None, End(i, port)))
            else:
                out = list(producer.outputs).index(source)
                edges.append(Edge(source, End(index[producer], out), End(i, port)))
        for port, value in enumerate(node.outputs):
            if _reaches_host(value):
                edges.append(Edge(value, End(i, port), None))
    return StreamGraph(declared, tuple(edges), _feedback(nodes))


def _feedback(nodes: list[ir.Node]) -> tuple[Edge, ...]:
    """From the second half of the outputs of a recurrence's end to its start."""
    starts = {loop_of(node): i for i, node in enumerate(nodes) if is_read(node)}
    found = []
    for i, node in enumerate(nodes):
        if is_write(node):
            count = len(node.outputs) // 2
            for port in range(count):
                back = node.outputs[count + port]
                found.append(Edge(back, End(i, count + port), End(starts[loop_of(node)], port)))
    return tuple(found)


def _is_stream(value: ir.Value | None) -> bool:
    return value is not None and value.const_value is None


def _origin(value: ir.Value | None) -> ir.Value:
    assert value is not None
    producer = value.producer()
    while producer is not None and producer.op_type in LAYOUTS and producer.domain == "":
        source = producer.inputs[0]
        if source is None or source.producer() is None or part(producer) != ACCELERATOR:
            break
        inner = source.producer()
        if inner is None or not (is_dataflow(inner) or inner.op_type in LAYOUTS):
            break
        value, producer = source, inner
    return value


def _reaches_host(value: ir.Value) -> bool:
    """The host uses the tensor, directly or reshaped."""
    if value.is_graph_output():
        return True
    for user, _ in value.uses():
        if is_dataflow(user):
            continue
        if part(user) != ACCELERATOR or any(_reaches_host(v) for v in user.outputs):
            return True
    return False
