# SPDX-License-Identifier: Apache-2.0
"""A build as FINN's dataflow graph: parent model, partition, folding configuration, scripts."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray
from onnx import helper

from qnnc.backends.finn.facet import depthwise_lanes, to_finn
from qnnc.backends.finn.nodes import FinnNode, annotation, finn_node, reshape_lanes, reshape_node
from qnnc.backends.finn.parent import parent_model
from qnnc.compiler.board import find_board
from qnnc.compiler.building.answers import load_model
from qnnc.compiler.building.workspace import MODEL, REPORT, Workspace, read_report
from qnnc.compiler.dataflow import DataflowNode, Stream
from qnnc.compiler.dataflow.stream_graph import End, StreamGraph, stream_graph
from qnnc.compiler.errors import ModelError, quote
from qnnc.compiler.folders import locked, owned_folder, refuse_foreign
from qnnc.compiler.ir.edit import shape_of
from qnnc.compiler.ir.facts import ACCELERATOR, part
from qnnc.compiler.ir.saved import load_ir
from qnnc.compiler.reference import Session, expand

FOLDER = "finn"
FOLDING = ("PE", "SIMD", "ram_style", "resType", "parallel_window")
"""Attributes that a folding configuration may set."""
PARTITION, PARENT = "partition.onnx", "dataflow_parent.onnx"
FRAMES = 4
"""Golden frames, for the script that runs the graph in FINN."""


@dataclass(frozen=True)
class Tensor:
    """A stream of the partition.

    Attributes:
        name: in FINN's graph.
        ours: name of the tensor in the build.
        stream: geometry.
    """

    name: str
    ours: str
    stream: Stream


@dataclass(frozen=True)
class Partition:
    """FINN's dataflow graph.

    Attributes:
        model: as ONNX.
        inputs: its streams in.
        outputs: its streams out.
        tensors: all its streams.
        nodes: our nodes, with the name that FINN will give each.
        cycles: that FINN's estimate should give for each of its nodes in order, by that name.
    """

    model: onnx.ModelProto
    inputs: list[Tensor]
    outputs: list[Tensor]
    tensors: list[Tensor]
    nodes: list[tuple[str, DataflowNode]]
    cycles: dict[str, int]


def export_finn(folder: Path, *, force: bool = False) -> Path:
    """Write a build's graph for FINN into its folder `finn`; returns that folder.

    Args:
        force: replace what is not qnnc's there, too, where it is in the way.

    Raises:
        WorkspaceError: no such build, or `finn` holds something else.
        ModelError: a node cannot be handed over to FINN.
    """
    workspace = Workspace(folder.absolute())
    with workspace.reading() as settings:
        busy = f"a build is at work in {folder}"
        with locked(Path(os.path.realpath(folder)), busy):
            refuse_foreign(workspace.path(FOLDER), force=force)
            return _export(workspace, settings["options"], force)


def _export(workspace: Workspace, options: Mapping[str, Any], force: bool) -> Path:
    board = find_board(str(options["board"]))
    clock = read_report(workspace.path(REPORT)).clock_mhz
    dataflow, _ = load_ir(workspace.path(MODEL) / "dataflow.onnx")
    prepare(dataflow)
    partition = partition_of(dataflow)
    pre, post = (_proto(workspace, f"{name}.onnx") for name in ("pre", "post"))
    parent = parent_model(pre, post, partition.inputs, partition.outputs, PARTITION)
    target = workspace.path(FOLDER)
    with owned_folder(target, force=force) as out:
        onnx.save(partition.model, out / PARTITION)
        onnx.save(parent, out / PARENT)
        _write_json(out / "folding_config.json", folding_config(partition))
        _write_json(
            out / "expected.json",
            {
                "part": board.part,
                "cycles": {name: node.cycles(node.folding()) for name, node in partition.nodes},
                "finn_cycles": partition.cycles,
            },
        )
        golden = golden_tensors(dataflow, partition)
        np.savez_compressed(out / "golden.npz", **golden)  # type: ignore[arg-type]
        for name in ("check.py", "build.py"):
            text = files("qnnc.backends.finn").joinpath("templates", f"{name}.in").read_text()
            text = text.replace("@PART@", board.part).replace("@NS@", f"{1000 / clock:.3f}")
            (out / name).write_text(text, encoding="utf-8")
    return target


def _proto(workspace: Workspace, name: str) -> onnx.ModelProto:
    proto: onnx.ModelProto = ir.to_proto(load_model(workspace, name))
    return proto


def _write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def folding_config(partition: Partition) -> dict[str, dict[str, Any]]:
    """Our folding by the names that FINN gives specialised nodes."""
    config: dict[str, dict[str, Any]] = {"Defaults": {}}
    for name, node in zip(partition.cycles, partition.model.graph.node, strict=True):
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        config[name] = {
            key: value.decode() if isinstance(value, bytes) else value
            for key, value in attributes.items()
            if key in FOLDING
        }
    return config


def prepare(model: ir.Model) -> None:
    """Rewrite, in place, what FINN does in another way.

    Raises:
        ModelError: FINN cannot do what a node does.
    """
    graph = stream_graph(model)
    for index, node in enumerate(graph.nodes):
        to_finn(node).prepare(graph, index)


def partition_of(model: ir.Model) -> Partition:
    """The dataflow nodes of a model as FINN wants them, without what FINN inserts itself."""
    graph = stream_graph(model)
    names = _Streams(graph)
    written = _Written()
    for index, node in enumerate(graph.nodes):
        if to_finn(node).inserted:
            continue
        ports = node.ports(node.folding())
        inputs = []
        for port, stream in enumerate(ports.inputs):
            tensor = names.at_input(End(index, port))
            if tensor.stream.shape != stream.shape:
                whole = names.reshaped(tensor, stream)
                name = written.name("Reshape")
                made = reshape_node(name, tensor.name, whole.name, tensor.stream, stream)
                lanes = reshape_lanes(tensor.stream, stream)
                written.add(made, None, stream.elements // lanes)
                tensor = whole
            inputs.append(tensor.name)
        outputs = [names.at_output(End(index, p)).name for p in range(len(ports.outputs))]
        group = depthwise_lanes(graph, index)
        finn = to_finn(node)
        name = written.name(node.op_type)
        made = finn_node(node, name, inputs, outputs, finn.changed(group))
        written.add(made, node, finn.cycles(group))
    tensors = names.used
    inputs_ = [names.at_input(edge.target) for edge in graph.inputs if edge.target]
    outputs_ = [names.at_output(edge.source) for edge in graph.outputs if edge.source]
    outside = {t.name for t in (*inputs_, *outputs_)}
    proto = helper.make_graph(
        [made.proto for made in written.nodes],
        "dataflow_partition",
        [_value_info(t) for t in inputs_],
        [_value_info(t) for t in outputs_],
        [constant for made in written.nodes for constant in made.constants],
        value_info=[_value_info(t) for t in tensors if t.name not in outside],
    )
    proto.quantization_annotation.extend(a for made in written.nodes for a in made.annotations)
    proto.quantization_annotation.extend(
        annotation(t.name, t.stream.datatype, len(t.stream.shape)) for t in tensors
    )
    whole_model = helper.make_model(
        proto, opset_imports=[helper.make_opsetid("", 21)], ir_version=10
    )
    return Partition(whole_model, inputs_, outputs_, tensors, written.ours, written.cycles)


class _Written:
    """FINN's nodes so far, and what they will be called once FINN has specialised them."""

    def __init__(self) -> None:
        self.nodes: list[FinnNode] = []
        self.ours: list[tuple[str, DataflowNode]] = []
        self.cycles: dict[str, int] = {}
        self._counts: Counter[str] = Counter()

    def name(self, op_type: str) -> str:
        """A name for a node."""
        self._counts[op_type] += 1
        return f"{op_type}_{self._counts[op_type] - 1}"

    def add(self, made: FinnNode, node: DataflowNode | None, cycles: int) -> None:
        """Take a node that stands for one of ours, or for none."""
        name = self.name(f"{made.proto.op_type}_{made.style}")
        self.nodes.append(made)
        self.cycles[name] = cycles
        if node is not None:
            self.ours.append((name, node))


def _value_info(tensor: Tensor) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(
        tensor.name, onnx.TensorProto.FLOAT, list(tensor.stream.shape)
    )


class _Streams:
    """Names of the partition's tensors; nodes that FINN inserts itself are seen through."""

    def __init__(self, graph: StreamGraph) -> None:
        self._graph = graph
        self._sources: dict[End, End | None] = {}
        self._entries: dict[End, str] = {}
        self._made: dict[End | str, Tensor] = {}
        for edge in graph.edges:
            if edge.target is not None:
                self._sources[edge.target] = edge.source
                self._entries[edge.target] = str(edge.value.name)

    @property
    def used(self) -> list[Tensor]:
        return list(self._made.values())

    def at_input(self, end: End) -> Tensor:
        source = self._sources[end]
        if source is not None:
            return self.at_output(source)
        node = self._graph.nodes[end.node]
        stream = node.ports(node.folding()).inputs[end.port]
        return self._tensor(self._entries[end], self._entries[end], stream)

    def at_output(self, end: End) -> Tensor:
        node = self._graph.nodes[end.node]
        if to_finn(node).inserted:
            return self.at_input(End(end.node, 0))
        stream = node.ports(node.folding()).outputs[end.port]
        return self._tensor(end, str(node.node.outputs[end.port].name), stream)

    def reshaped(self, tensor: Tensor, stream: Stream) -> Tensor:
        """The same elements as another stream."""
        made = Tensor(f"stream_{len(self._made)}", tensor.ours, stream)
        self._made[made.name] = made
        return made

    def _tensor(self, key: End | str, ours: str, stream: Stream) -> Tensor:
        if key not in self._made:
            if np.prod(stream.shape) == 0:
                raise ModelError(f"tensor {quote(ours)} is empty")
            self._made[key] = Tensor(f"stream_{len(self._made)}", ours, stream)
        return self._made[key]


def golden_tensors(
    model: ir.Model, partition: Partition, seed: int = 0
) -> Mapping[str, NDArray[np.float32]]:
    """Random frames for the partition's inputs and what every stream then holds, by FINN's names,
    [frames, *shape], from the reference expansion in ONNX Runtime."""
    rng = np.random.default_rng(seed)
    graph = stream_graph(model)
    entries = list(dict.fromkeys(edge.value for edge in graph.inputs))
    shapes = {str(value.name): shape_of(value) for value in entries}
    results = list(dict.fromkeys(v for node in graph.nodes for v in node.node.outputs))
    nodes = [node for node in model.graph if part(node) == ACCELERATOR]
    session = Session(expand(model, inputs=entries, outputs=results, nodes=nodes))
    frames: dict[str, list[NDArray[Any]]] = {t.name: [] for t in partition.tensors}
    for _ in range(FRAMES):
        feeds = {
            t.ours: rng.integers(
                int(t.stream.datatype.min()),
                int(t.stream.datatype.max()),
                shapes[t.ours],
                endpoint=True,
            ).astype(_numpy(entries, t.ours))
            for t in partition.inputs
        }
        found = {**session.run(feeds), **feeds}
        for tensor in partition.tensors:
            values = np.asarray(found[tensor.ours], dtype=np.float32)
            frames[tensor.name].append(values.reshape(tensor.stream.shape))
    return {name: np.stack(arrays) for name, arrays in frames.items()}


def _numpy(values: list[ir.Value], name: str) -> np.dtype[Any]:
    value = next(v for v in values if v.name == name)
    return np.dtype(np.float64 if value.dtype == ir.DataType.DOUBLE else np.float32)
