# SPDX-License-Identifier: Apache-2.0
"""The host's two halves as ONNX models of their own."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from qnnc.compiler.dataflow.stream_graph import stream_graph
from qnnc.compiler.errors import ModelError, quote
from qnnc.compiler.ir.facts import HOST_POST, HOST_PRE, part
from qnnc.compiler.reference import expand


def host_graphs(model: ir.Model) -> tuple[ir.Model, ir.Model]:
    """Preprocessing (model inputs to the accelerator's streams) and postprocessing (streams to
    model outputs), both for any batch. Streams are called s_axis_0, … and m_axis_0, …

    Raises:
        ModelError: postprocessing needs more than the accelerator's outputs.
    """
    graph = stream_graph(model)
    into = _unique([edge.value for edge in graph.inputs])
    out = _unique([edge.value for edge in graph.outputs])
    pre_nodes = [node for node in model.graph if part(node) == HOST_PRE]
    post_nodes = [node for node in model.graph if part(node) == HOST_POST]
    inside = {v for node in post_nodes for v in node.outputs} | set(out)
    for node in post_nodes:
        for value in node.inputs:
            if value is not None and value.const_value is None and value not in inside:
                raise ModelError(
                    f"node {quote(node.name)} behind the accelerator uses tensor "
                    f"{quote(value.name)} from before it, which is not supported"
                )
    for value in model.graph.outputs:
        if value.const_value is None and value not in inside:
            what = "one of the model's inputs" if value.is_graph_input() else "computed before it"
            raise ModelError(
                f"output {quote(value.name)} does not come from the accelerator: it is {what}; "
                "remove it from the model's outputs"
            )
    pre = expand(model, outputs=into, nodes=pre_nodes, any_batch=True)
    _name_outputs(pre, [f"s_axis_{i}" for i in range(len(into))])
    post = expand(
        model, inputs=out, outputs=list(model.graph.outputs), nodes=post_nodes, any_batch=True
    )
    for i, value in enumerate(post.graph.inputs):
        value.name = f"m_axis_{i}"
    _name_outputs(post, [str(value.name) for value in model.graph.outputs])
    return pre, post


def _unique(values: Sequence[ir.Value]) -> list[ir.Value]:
    return list(dict.fromkeys(values))


def _name_outputs(model: ir.Model, names: Sequence[str]) -> None:
    """Give outputs names of their own; one that is an input too goes through an Identity."""
    graph = model.graph
    for index, (value, name) in enumerate(zip(list(graph.outputs), names, strict=True)):
        if value in graph.inputs:
            node = ir.node("Identity", [value])
            graph.append(node)
            value = node.outputs[0]
            value.type = graph.inputs[0].type
            graph.outputs[index] = value
        value.name = name
