# SPDX-License-Identifier: Apache-2.0
"""Stitching: an instance per node, a stream per edge, AXI-Stream at the ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from importlib.resources import files
from typing import Any

import onnx_ir as ir

from qnnc.backends.design import (
    WEIGHT_PORT,
    Design,
    Instance,
    Port,
    WeightPort,
    Wire,
    port_names,
)
from qnnc.backends.rtl.rtl_node import Templates, generate
from qnnc.compiler.dataflow import Stream
from qnnc.compiler.dataflow.memory_traffic import batch_of
from qnnc.compiler.dataflow.stream_graph import Edge, StreamGraph, instance_names, stream_graph
from qnnc.compiler.errors import ModelError, quote

TEMPLATES = Templates(__name__, "templates")


@lru_cache(maxsize=1)
def library() -> dict[str, str]:
    """Text of every file of the SystemVerilog library, and of the macros they include, by name."""
    folder = files("qnnc.backends.rtl").joinpath("library")
    return {
        file.name: file.read_text(encoding="utf-8")
        for file in sorted(folder.iterdir(), key=lambda f: f.name)
        if file.name.endswith((".sv", ".svh"))
    }


def stitch(model: ir.Model, top: str = "qnnc_accelerator") -> Design:
    """Generate the accelerator of a model that has been lowered and folded.

    Raises:
        ModelError: a stream has several consumers.
    """
    graph = stream_graph(model)
    _check_fanout(graph)
    names = instance_names(graph.nodes)
    instances = [
        Instance(name, node, generate(node)) for name, node in zip(names, graph.nodes, strict=True)
    ]
    inputs = _ports(graph, graph.inputs, "s_axis")
    outputs = _ports(graph, graph.outputs, "m_axis")
    wires = [_wire(graph, instances, edge) for edge in (*graph.inner, *graph.feedback)]
    weights = _weight_ports(instances)
    connected = _connected(graph, instances, [*inputs, *outputs, *wires], weights)
    text = TEMPLATES.render(
        "top.sv.j2",
        top=top,
        inputs=[*inputs, *weights],
        outputs=outputs,
        streams=wires,
        nodes=connected,
    )
    return Design(
        top,
        text,
        tuple(
            replace(instance, streams={p["port"]: p["stream"] for p in ports if p["stream"]})
            for instance, ports in zip(instances, (c["ports"] for c in connected), strict=True)
        ),
        tuple(wires),
        tuple(inputs),
        tuple(outputs),
        library(),
        tuple(weights),
    )


def _ports(graph: StreamGraph, edges: Sequence[Edge], base: str) -> list[Port]:
    """AXI-Streams across the boundary, numbered if there are several."""
    names = port_names(base, len(edges))
    return [
        Port(name, _stream(graph, edge), edge.value)
        for name, edge in zip(names, edges, strict=True)
    ]


def _weight_ports(instances: Sequence[Instance]) -> list[WeightPort]:
    """AXI-Streams of weights, named after the nodes that take them."""
    batch, found = batch_of(i.node for i in instances), []
    for index, instance in enumerate(instances):
        words, node = instance.rtl.weights, instance.node
        if words is not None:
            rounds = round(node.weight_bytes(node.folding()) * batch / words.size)
            name = f"{WEIGHT_PORT}_{instance.name}"
            found.append(WeightPort(name, index, words, rounds))
    return found


def _wire(graph: StreamGraph, instances: Sequence[Instance], edge: Edge) -> Wire:
    assert edge.source is not None
    source = instances[edge.source.node]
    number = f"_{edge.source.port}" if len(source.rtl.m_bits) > 1 else ""
    return Wire(f"{source.name}_out{number}", _stream(graph, edge), edge.value)


def _connected(
    graph: StreamGraph,
    instances: Sequence[Instance],
    ends: Sequence[Port | Wire],
    weights: Sequence[WeightPort],
) -> list[dict[str, Any]]:
    """What the template needs of each instance: module, parameters, its ports and the streams
    at them."""
    by_port: dict[tuple[str, int, int], Port | Wire | WeightPort] = {
        ("s", port.instance, len(instances[port.instance].rtl.s_bits)): port for port in weights
    }
    edges = [*graph.inputs, *graph.outputs, *graph.inner, *graph.feedback]
    for edge, end in zip(edges, ends, strict=True):
        if edge.source is not None:
            by_port["m", edge.source.node, edge.source.port] = end
        if edge.target is not None:
            by_port["s", edge.target.node, edge.target.port] = end
    return [
        {
            "module": instance.rtl.module,
            "parameters": {p: file for p, (file, _) in instance.files().items()},
            "instance": instance.name,
            "ports": [
                _connection(name, by_port.get((side, i, number)))
                for side, ports in (("s", instance.rtl.s_ports), ("m", instance.rtl.m_ports))
                for number, (name, _) in enumerate(ports)
            ],
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


def _connection(port: str, end: Port | Wire | WeightPort | None) -> dict[str, str]:
    """The nets at a port; words of an output that nothing uses are taken and dropped."""
    if end is None:
        return {"port": port, "stream": "", "data": "", "valid": "", "ready": "1'b1"}
    partial = isinstance(end, Port) and end.bytes * 8 > end.bits
    return {
        "port": port,
        "stream": end.name,
        "data": f"{end.name}_tdata" + (f"[{end.bits - 1}:0]" if partial else ""),
        "valid": f"{end.name}_tvalid",
        "ready": f"{end.name}_tready",
    }


def _check_fanout(graph: StreamGraph) -> None:
    users = Counter((edge.source.node, edge.source.port) for edge in graph.edges if edge.source)
    for (node, _), count in users.items():
        if count > 1:
            raise ModelError(
                f"node {quote(graph.nodes[node].name)} feeds {count} others; run the pass "
                "insert-duplicates"
            )
