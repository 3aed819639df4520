# SPDX-License-Identifier: Apache-2.0
"""Stitching: one instance a node, a stream an edge, AXI-Stream at the ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files

import onnx_ir as ir

from qnnc.backends.design import Design, Instance, Port, Wire
from qnnc.backends.rtl.rtl_node import generate, render, short_name
from qnnc.compiler.dataflow import Stream
from qnnc.compiler.dataflow.stream_graph import Edge, StreamGraph, stream_graph
from qnnc.compiler.errors import ModelError, quote


@lru_cache(maxsize=1)
def library() -> dict[str, str]:
    """Text of every file of the SystemVerilog library, by name."""
    folder = files("qnnc.backends.rtl").joinpath("library")
    return {
        file.name: file.read_text(encoding="utf-8")
        for file in sorted(folder.iterdir(), key=lambda f: f.name)
        if file.name.endswith(".sv")
    }


def stitch(model: ir.Model, top: str = "qnnc_accelerator") -> Design:
    """Generate the accelerator of a model that has been lowered and folded.

    Raises:
        ModelError: a stream has several consumers.
    """
    graph = stream_graph(model)
    _check_fanout(graph)
    counts: Counter[str] = Counter()
    instances = []
    for node in graph.nodes:
        counts[node.op_type] += 1
        instances.append(
            Instance(f"{short_name(node)}_{counts[node.op_type] - 1}", node, generate(node))
        )
    names = [instance.name for instance in instances]
    inputs = _ports(graph, graph.inputs, "s_axis")
    outputs = _ports(graph, graph.outputs, "m_axis")
    wires = [
        Wire(f"{names[edge.source.node]}_out", _stream(graph, edge), edge.value)
        for edge in graph.inner
        if edge.source is not None
    ]
    text = render(
        "top.sv.j2",
        top=top,
        inputs=inputs,
        outputs=outputs,
        streams=wires,
        nodes=_connected(graph, instances, [*inputs, *outputs, *wires]),
    )
    return Design(
        top, text, tuple(instances), tuple(wires), tuple(inputs), tuple(outputs), library()
    )


def _ports(graph: StreamGraph, edges: Sequence[Edge], base: str) -> list[Port]:
    """AXI-Streams across the boundary, numbered if there are several."""
    return [
        Port(base if len(edges) == 1 else f"{base}_{index}", _stream(graph, edge), edge.value)
        for index, edge in enumerate(edges)
    ]


def _connected(
    graph: StreamGraph, instances: Sequence[Instance], ends: Sequence[Port | Wire]
) -> list[dict[str, object]]:
    """What the template needs of each instance: module, parameters, names of its streams."""
    by_node: dict[tuple[str, int], Port | Wire] = {}
    edges = [*graph.inputs, *graph.outputs, *graph.inner]
    for edge, end in zip(edges, ends, strict=True):
        if edge.source is not None:
            by_node["m", edge.source.node] = end
        if edge.target is not None:
            by_node["s", edge.target.node] = end
    return [
        {
            "module": instance.rtl.module,
            "parameters": {p: file for p, (file, _) in instance.files().items()},
            "instance": instance.name,
            **_connection("s", by_node["s", i]),
            **_connection("m", by_node["m", i]),
        }
        for i, instance in enumerate(instances)
    ]


def _stream(graph: StreamGraph, edge: Edge) -> Stream:
    if edge.source is not None:
        node = graph.nodes[edge.source.node]
        return node.ports(node.folding()).outputs[edge.source.port]
    assert edge.target is not None
    node = graph.nodes[edge.target.node]
    return node.ports(node.folding()).inputs[edge.target.port]


def _connection(side: str, end: Port | Wire) -> dict[str, str]:
    partial = isinstance(end, Port) and end.bytes * 8 > end.bits
    return {
        f"{side}_name": end.name,
        f"{side}_slice": f"[{end.bits - 1}:0]" if partial else "",
    }


def _check_fanout(graph: StreamGraph) -> None:
    users = Counter((edge.source.node, edge.source.port) for edge in graph.edges if edge.source)
    for (node, _), count in users.items():
        if count > 1:
            raise ModelError(
                f"node {quote(graph.nodes[node].name)} feeds {count} others; branches are not "
                "supported yet"
            )
