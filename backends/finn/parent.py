# SPDX-License-Identifier: Apache-2.0
"""FINN's parent model: the host's operators around one StreamingDataflowPartition."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper, shape_inference

from qnnc.backends.finn.nodes import annotation
from qnnc.compiler.ir.edit import FINN

if TYPE_CHECKING:
    from qnnc.backends.finn.export import Tensor

_MOVING = frozenset({"Identity", "Reshape", "Cast", "Transpose"})
"""Operators after which an input is still the integer that it was."""


def parent_model(
    pre: onnx.ModelProto,
    post: onnx.ModelProto,
    inputs: Sequence[Tensor],
    outputs: Sequence[Tensor],
    partition: str,
) -> onnx.ModelProto:
    """Preprocessing, partition, postprocessing, for a batch of one.

    Args:
        pre: gives the streams in, in order.
        post: takes the streams out, in order.
        partition: path of the partition, beside this model.
    """
    before = _prefixed(_static(pre), "pre_", {v.name for v in pre.graph.input})
    after = _prefixed(_static(post), "post_", {v.name for v in post.graph.output})
    nodes = list(before.graph.node)
    infos = [*before.graph.value_info, *after.graph.value_info]
    into, out = [], []
    constants: list[TensorProto] = []
    for value, tensor in zip(before.graph.output, inputs, strict=True):
        shape = tensor.stream.shape
        nodes += _passed(value, value.name, tensor.name, TensorProto.FLOAT, shape, constants, infos)
        into.append(tensor)
    nodes.append(
        helper.make_node(
            "StreamingDataflowPartition",
            [t.name for t in inputs],
            [t.name for t in outputs],
            name="StreamingDataflowPartition_0",
            domain=FINN,
            model=partition,
            partition_id=0,
            slr=-1,
            mem_port="",
        )
    )
    for value, tensor in zip(after.graph.input, outputs, strict=True):
        kind = value.type.tensor_type.elem_type
        shape = tensor.stream.shape
        nodes += _passed(value, tensor.name, value.name, kind, shape, constants, infos)
        out.append(tensor)
    nodes += after.graph.node
    infos += [*before.graph.output, *after.graph.input]
    infos += [
        helper.make_tensor_value_info(t.name, TensorProto.FLOAT, list(t.stream.shape))
        for t in (*into, *out)
    ]
    outside = {value.name for value in (*before.graph.input, *after.graph.output)}
    inner = {value.name: value for value in infos if value.name not in outside}
    graph = helper.make_graph(
        nodes,
        "dataflow_parent",
        before.graph.input,
        after.graph.output,
        [*before.graph.initializer, *after.graph.initializer, *constants],
        value_info=list(inner.values()),
    )
    graph.quantization_annotation.extend(
        annotation(t.name, t.stream.datatype, len(t.stream.shape)) for t in (*into, *out)
    )
    if len(inputs) == 1 and all(node.op_type in _MOVING for node in before.graph.node):
        kind = inputs[0].stream.datatype
        graph.quantization_annotation.append(annotation(graph.input[0].name, kind))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def _passed(
    value: onnx.ValueInfoProto,
    source: str,
    target: str,
    kind: int,
    stream: Sequence[int],
    constants: list[TensorProto],
    infos: list[onnx.ValueInfoProto],
) -> list[onnx.NodeProto]:
    """From a host's tensor to a stream or back: the streams hold integers in float32, the host's
    side may want float64, or have another shape.

    Args:
        value: the host's tensor.
        constants: where shapes go.
        infos: where types of tensors in between go.
    """
    host = [d.dim_value for d in value.type.tensor_type.shape.dim]
    if host == list(stream):
        return [helper.make_node("Cast", [source], [target], name=f"Cast_{target}", to=kind)]
    wanted = stream if source == value.name else host
    shape = numpy_helper.from_array(np.array(wanted, dtype=np.int64), f"{target}_shape")
    constants.append(shape)
    before = host if source == value.name else list(stream)
    infos.append(helper.make_tensor_value_info(f"{target}_cast", kind, before))
    cast, apart = f"{target}_cast", [f"{target}_cast", shape.name]
    return [
        helper.make_node("Cast", [source], [cast], name=f"Cast_{target}", to=kind),
        helper.make_node("Reshape", apart, [target], name=f"Reshape_{target}"),
    ]


def _prefixed(model: onnx.ModelProto, prefix: str, kept: set[str]) -> onnx.ModelProto:
    """The model with a prefix to every name but those kept (its nodes have no subgraphs)."""

    def renamed(name: str) -> str:
        return name if not name or name in kept else prefix + name

    graph = model.graph
    for node in graph.node:
        node.name = renamed(node.name)
        for names in (node.input, node.output):
            names[:] = [renamed(name) for name in names]
    for value in (*graph.input, *graph.output, *graph.value_info, *graph.initializer):
        value.name = renamed(value.name)
    return model


def _static(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with a batch of one and all shapes."""
    fixed = onnx.ModelProto()
    fixed.CopyFrom(model)
    for value in (*fixed.graph.input, *fixed.graph.output):
        for dimension in value.type.tensor_type.shape.dim:
            if not dimension.HasField("dim_value"):
                dimension.dim_value = 1
    del fixed.graph.value_info[:]
    inferred: onnx.ModelProto = shape_inference.infer_shapes(fixed)
    return inferred
