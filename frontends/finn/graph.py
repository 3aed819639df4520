# SPDX-License-Identifier: Apache-2.0
"""FINN's graphs as data: operator names, partitions, annotations."""

from __future__ import annotations

from pathlib import Path

import onnx
from qonnx.core.datatype import BaseDataType

from qnnc.compiler.datatypes import datatype
from qnnc.compiler.errors import ModelError, quote
from qnnc.frontends.onnx_file import read_proto

FINN = "finn.custom_op.fpgadataflow"
PARTITION = "StreamingDataflowPartition"


def is_finn(node: onnx.NodeProto) -> bool:
    """The node is one of FINN's dataflow nodes, of any version."""
    return node.domain == "finn" or node.domain.startswith(FINN)


def base_name(node: onnx.NodeProto) -> str:
    """The operator without the way in which it is made."""
    name = str(node.op_type)
    for suffix in ("_hls", "_rtl", "_Batch"):
        name = name.removesuffix(suffix)
    return name


def inlined(proto: onnx.ModelProto, folder: Path) -> onnx.ModelProto:
    """A parent model with its partitions, which lie in files beside it, put in place.

    Raises:
        ModelError: a partition holds another, or has other inputs than its node.
    """
    if not any(node.op_type == PARTITION for node in proto.graph.node):
        return proto
    whole = onnx.ModelProto()
    whole.CopyFrom(proto)
    graph = whole.graph
    del graph.node[:]
    for index, node in enumerate(proto.graph.node):
        if node.op_type != PARTITION:
            graph.node.append(node)
            continue
        _inline(graph, node, _child(node, folder), f"partition{index}_")
    return whole


def _child(node: onnx.NodeProto, folder: Path) -> onnx.GraphProto:
    model = next((a.s.decode() for a in node.attribute if a.name == "model"), "")
    # FINN writes absolute paths of its own machine; only the model's folder is looked at
    parts = [part for part in model.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    tails = [folder.joinpath(*parts[i:]) for i in range(len(parts))]
    root = folder.resolve()
    found = [p for p in tails if p.is_file() and p.resolve().is_relative_to(root)]
    if not found:
        raise ModelError(
            f"node {quote(node.name)}: its partition {quote(model)} is not beside the model; put "
            f"the file {quote(parts[-1] if parts else '')} there"
        )
    child = read_proto(str(found[0])).graph
    if any(inner.op_type == PARTITION for inner in child.node):
        raise ModelError(f"node {quote(node.name)}: a partition within a partition")
    if len(child.input) != len(node.input) or len(child.output) != len(node.output):
        raise ModelError(
            f"node {quote(node.name)}: its partition has {len(child.input)} inputs and "
            f"{len(child.output)} outputs, the node {len(node.input)} and {len(node.output)}"
        )
    return child


def _inline(
    graph: onnx.GraphProto, node: onnx.NodeProto, child: onnx.GraphProto, prefix: str
) -> None:
    names = {v.name: outer for v, outer in zip(child.input, node.input, strict=True)}
    names |= {v.name: outer for v, outer in zip(child.output, node.output, strict=True)}

    def renamed(name: str) -> str:
        return names.get(name, prefix + name) if name else name

    for inner in child.node:
        made = graph.node.add()
        made.CopyFrom(inner)
        made.input[:] = [renamed(name) for name in inner.input]
        made.output[:] = [renamed(name) for name in inner.output]
    for tensor in child.initializer:
        graph.initializer.add().CopyFrom(tensor)
        graph.initializer[-1].name = renamed(tensor.name)
    known = {v.name for v in (*graph.input, *graph.output, *graph.value_info)}
    for value in (*child.input, *child.output, *child.value_info):
        if renamed(value.name) not in known:
            graph.value_info.add().CopyFrom(value)
            graph.value_info[-1].name = renamed(value.name)
            known.add(renamed(value.name))
    for annotation in child.quantization_annotation:
        graph.quantization_annotation.add().CopyFrom(annotation)
        graph.quantization_annotation[-1].tensor_name = renamed(annotation.tensor_name)


def annotated_types(graph: onnx.GraphProto) -> dict[str, BaseDataType]:
    """Integer types by tensor; tensors in floating point are left out.

    Raises:
        ModelError: a type is none that is known.
    """
    types = {}
    for annotation in graph.quantization_annotation:
        for entry in annotation.quant_parameter_tensor_names:
            if entry.key == "finn_datatype" and not entry.value.startswith("FLOAT"):
                types[annotation.tensor_name] = datatype(entry.value)
    return types


def input_type(source: str) -> str:
    """The integer type of a model's only input, or an empty string if it is not an integer.

    Raises:
        ModelError: the model has several inputs, or cannot be read.
    """
    graph = read_proto(source).graph
    constants = {tensor.name for tensor in graph.initializer}
    inputs = [value.name for value in graph.input if value.name not in constants]
    if len(inputs) != 1:
        raise ModelError(f"{source!r} has {len(inputs)} inputs; one is supported")
    found = annotated_types(graph).get(inputs[0])
    return "" if found is None else str(found.name).lower()
