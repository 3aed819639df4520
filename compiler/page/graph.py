# SPDX-License-Identifier: Apache-2.0
"""What the page's graph shows: boxes with what is known about each, and what joins them.

A build whose dataflow graph was estimated shows that; one that ended before shows the ONNX graph
that it had come to.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import onnx_ir as ir

from qnnc.compiler.dataflow import Kind, is_dataflow, node_class
from qnnc.compiler.dataflow.registry import node_names
from qnnc.compiler.errors import quote
from qnnc.compiler.ir.facts import integer, reason, sources
from qnnc.compiler.page.text import changed, count, ended, shape, shortened
from qnnc.compiler.report import Layer, Report, StreamPort
from qnnc.compiler.resources import RESOURCE_NAMES
from qnnc.compiler.rewrites import rewrite

Rows = list[tuple[str, str]]
"""Labels and values."""


@dataclass
class Box:
    """A node of the graph.

    Attributes:
        key: names it on the page.
        title: its name.
        kind: its colour.
        lines: what is written in it, below the title.
        share: of the slowest node's cycles, 0 to 1, or None for a node that takes none.
        marked: it is the bottleneck, or the node that an error names.
        details: what is shown of it once it is selected.
        notes: sentences, likewise.
    """

    key: str
    title: str
    kind: str
    lines: list[str]
    share: float | None = None
    marked: bool = False
    details: Rows = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Join:
    """A stream or tensor from one box to another, with what is written beside it."""

    source: int
    target: int
    text: str


@dataclass
class Graph:
    """Boxes and what joins them."""

    boxes: list[Box] = field(default_factory=list)
    joins: list[Join] = field(default_factory=list)
    late: set[int] = field(default_factory=set)
    dataflow: bool = True


def layer_key(index: int) -> str:
    """The key of a layer's box."""
    return f"layer-{index}"


def graph_of(report: Report, model: ir.Model | None) -> Graph:
    """The dataflow graph of a report, or else the model's; empty if there is neither."""
    if report.layers:
        return _dataflow(report)
    return _onnx(model, report.error) if model is not None else Graph()


_MEMORIES = {
    "block": "block RAM",
    "distributed": "LUTs",
    "trits": "block RAM, five weights in 8 bits",
    "external": "the board's",
    "logic": "none: weights are part of the logic",
}


def _dataflow(report: Report) -> Graph:
    graph = Graph()
    slowest = max(layer.cycles for layer in report.layers)
    bottleneck = report.performance.bottleneck if report.performance else ""
    for index, layer in enumerate(report.layers):
        box = _layer_box(layer, index, slowest)
        box.marked = layer.name == bottleneck
        graph.boxes.append(box)
    host = report.host
    for link in report.connections:
        text = f"{count(link.bits)} bit"
        if link.source is not None and link.target is not None:
            graph.joins.append(Join(link.source, link.target, text))
            continue
        outward = link.source is not None
        nodes = [] if host is None else host.post_nodes if outward else host.pre_nodes
        box = _border_box(report.streams, link.tensor, outward, nodes, len(graph.boxes))
        box.details[:0] = [
            ("tensor", link.tensor),
            ("shape", shape(link.shape)),
            ("type", link.datatype),
        ]
        box.lines.append(f"{shape(link.shape)} {link.datatype}")
        graph.boxes.append(box)
        new = len(graph.boxes) - 1
        if link.target is not None:
            graph.joins.append(Join(new, link.target, text))
        elif link.source is not None:
            graph.joins.append(Join(link.source, new, text))
    return graph


def _layer_box(layer: Layer, index: int, slowest: int) -> Box:
    name = layer.instance or layer.name
    folding = [f"{key} {value}" for key, value in (("PE", layer.PE), ("SIMD", layer.SIMD)) if value]
    lines = [f"{layer.input_type} → {layer.output_type} · {shape(layer.shape)}"]
    if layer.source_nodes and _kind(layer.op) != "plumbing":
        lines.insert(0, ended(layer.source_nodes[-1], 34))
    lines.append(" · ".join([*folding, f"{count(layer.cycles)} cycles"]))
    lines.append(_used(layer))
    lead: Rows = [
        ("operator", layer.op),
        ("does", ", ".join(layer.source_nodes)),
        ("input", layer.input_type),
        ("output", f"{layer.output_type}, {shape(layer.shape)}"),
        ("PE", "" if layer.PE is None else count(layer.PE)),
        ("SIMD", "" if layer.SIMD is None else count(layer.SIMD)),
        ("memory", _MEMORIES.get(layer.weights or layer.ram_style or "", "")),
        ("arithmetic", (layer.arithmetic or "").upper()),
        ("implementation", layer.implementation or ""),
        (
            "cycles per frame",
            f"{count(layer.cycles)}, {100 * layer.cycles / slowest:.0f} % of the slowest",
        ),
    ]
    details = [row for row in lead if row[1]]
    for resource in RESOURCE_NAMES:
        estimate = getattr(layer.resources, resource)
        made = None if layer.synthesis is None else getattr(layer.synthesis, resource)
        details.append((resource, _compared(estimate, made)))
    if layer.timing is not None:
        path = layer.timing
        details.append(("highest clock", f"{1000 / path.ns:.0f} MHz by the timing model"))
        words = f"{path.ns:.2f} ns over {path.levels} levels, {path.start} → {path.end}"
        details.append(("longest path", words))
    notes = [text for text in (layer.implementation_reason, *layer.notes) if text]
    return Box(
        layer_key(index),
        name,
        _kind(layer.op),
        lines if folding else [*lines[:-2], " · ".join(lines[-2:])],
        layer.cycles / slowest,
        details=details,
        notes=notes,
    )


def _used(layer: Layer) -> str:
    """Resources in a line: as synthesised, or estimated (~)."""
    used = layer.synthesis or layer.resources
    mark = "" if layer.synthesis else "~"
    some = [(n, getattr(used, n)) for n in RESOURCE_NAMES if n != "FF"]
    return " · ".join(f"{mark}{count(n)} {name}" for name, n in some if n or name == "LUT")


def _compared(estimate: int, made: int | None) -> str:
    if made is None:
        return f"{count(estimate)} estimated"
    return f"{count(estimate)} estimated, {count(made)} synthesised{changed(estimate, made)}"


def _border_box(
    streams: Sequence[StreamPort], tensor: str, outward: bool, nodes: Sequence[str], index: int
) -> Box:
    word = "m_axis" if outward else "s_axis"
    port = next((s for s in streams if s.tensor == tensor and s.name.startswith(word)), None)
    details: Rows = []
    if port is not None:
        words = f"{count(port.words_per_frame)} of {port.tdata_bits} bits"
        details = [("words per frame", words), ("elements per word", count(port.elements_per_word))]
    if nodes:
        when = "after" if outward else "before"
        details.append((f"on the host {when} it", ", ".join(nodes)))
    title = port.name if port is not None else "output" if outward else "input"
    return Box(f"border-{index}", title, "border", [], details=details)


def _onnx(model: ir.Model, error: str) -> Graph:
    graph = Graph(dataflow=False)
    index: dict[ir.Node, int] = {}
    inputs: dict[ir.Value, int] = {}
    for value in model.graph.inputs:
        if value.const_value is None:
            inputs[value] = len(graph.boxes)
            graph.boxes.append(_value_box(value, len(graph.boxes), "input"))
    for node in model.graph:
        index[node] = len(graph.boxes)
        graph.late.add(index[node])
        graph.boxes.append(_node_box(node, len(graph.boxes), error))
    for node, target in index.items():
        for read in node.inputs:
            source = None if read is None else _from(read, index, inputs)
            if source is not None:
                graph.joins.append(Join(source, target, ""))
    for value in model.graph.outputs:
        source = _from(value, index, inputs)
        if source is not None:
            graph.boxes.append(_value_box(value, len(graph.boxes), "output"))
            graph.joins.append(Join(source, len(graph.boxes) - 1, ""))
    return graph


def _from(value: ir.Value, index: dict[ir.Node, int], inputs: dict[ir.Value, int]) -> int | None:
    producer = value.producer()
    return inputs.get(value) if producer is None else index.get(producer)


def _value_box(value: ir.Value, number: int, what: str) -> Box:
    known = _shape(value)
    return Box(
        f"border-{number}",
        what,
        "border",
        [f"{shortened(str(value.name), 20)} {known}".strip()],
        details=[("tensor", str(value.name)), ("shape", known)],
    )


def _node_box(node: ir.Node, number: int, error: str) -> Box:
    output = node.outputs[0] if node.outputs else None
    fact = None if output is None else integer(output)
    kind = "" if fact is None else f" {fact.type.name}"
    names = [*sources(node), str(node.name), *(str(v.name) for v in node.outputs)]
    known = "" if output is None else _shape(output)
    rows: Rows = [
        ("operator", f"{node.domain}.{node.op_type}" if node.domain else node.op_type),
        ("does", ", ".join(sources(node))),
        ("reads", ", ".join(_named(node.inputs))),
        ("gives", ", ".join(_named(node.outputs))),
        ("shape", known),
        ("integers", kind.strip()),
    ]
    notes = [text for text in (reason(node), rewrite(node.op_type)) if text]
    return Box(
        f"node-{number}",
        str(node.name or node.op_type),
        _kind(node.op_type) if is_dataflow(node) else "other" if fact is None else "product",
        [node.op_type, f"{known}{kind}"],
        marked=any(name and quote(name) in error for name in names),
        details=[row for row in rows if row[1]],
        notes=notes,
    )


def inserted(report: Report) -> set[str]:
    """Operators that come between layers, whose sources are those of both."""
    return {layer.op for layer in report.layers if _kind(layer.op) == "plumbing"}


def _kind(op_type: str) -> Kind:
    """The colour of an operator; a report may have nodes whose package is no longer installed."""
    return node_class(op_type).kind if op_type in node_names() else "other"


def _named(values: Iterable[ir.Value | None]) -> list[str]:
    return [str(value.name) for value in values if value is not None]


def _shape(value: ir.Value) -> str:
    return "" if value.shape is None else shape(value.shape)
