# SPDX-License-Identifier: Apache-2.0
"""Stitching: one instance a node, a stream an edge, AXI-Stream at the ends."""

from __future__ import annotations

from collections import Counter
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
        instances.append(Instance(f"{short_name(node)}_{counts[node.op_type] - 1}", node, generate(node)))
    inputs = [
        Port(_axis("s_axis", k, len(graph.inputs)), _stream(graph, edge), edge.value)
        for k, edge in enumerate(graph.inputs)
    ]
    outputs = [
        Port(_axis("m_axis", k, len(graph.outputs)), _stream(graph, edge), edge.value)
        for k, edge in enumerate(graph.outputs)
    ]
    wires = [
        Wire(f"{instances[edge.source.node].name}_out", _stream(graph, edge), edge.value)
        for edge in graph.inner
        if edge.source is not None
    ]
    ends: dict[tuple[str, int], Port | Wire] = {}
    for edge, end in zip(
        [*graph.inputs, *graph.outputs, *graph.inner], [*inputs, *outputs, *wires], strict=True
    ):
        if edge.source is not None:
            ends["m", edge.source.node] = end
        if edge.target is not None:
            ends["s", edge.target.node] = end
    nodes = [
        {
            "module": instance.rtl.module,
            "parameters": {p: file for p, (file, _) in instance.files().items()},
            "instance": instance.name,
            **_connection("s", ends["s", i]),
            **_connection("m", ends["m", i]),
        }
        for i, instance in enumerate(instances)
    ]
    text = render(
        "top.sv.j2", top=top, inputs=inputs, outputs=outputs, streams=wires, nodes=nodes
    )
    return Design(top, text, tuple(instances), tuple(wires), tuple(inputs), tuple(outputs),
                  library())


def _axis(base: str, index: int, count: int) -> str:
    return base if count == 1 else f"{base}_{index}"


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
