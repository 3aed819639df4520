# SPDX-License-Identifier: Apache-2.0
"""The host's two halves as ONNX models of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from qnnc.compiler.dataflow.stream_graph import stream_graph
from qnnc.compiler.errors import ModelError
from qnnc.compiler.ir.facts import HOST_POST, HOST_PRE, part
from qnnc.compiler.reference import BatchRunner, Session, expand

Tensors = Mapping[str, NDArray[Any]]


def host_graphs(model: ir.Model, tensors: Tensors) -> tuple[ir.Model, ir.Model]:
    """Preprocessing (model inputs to the accelerator's streams) and postprocessing (streams to
    model outputs). Streams are called s_axis_0, … and m_axis_0, …; what postprocessing needs of
    preprocessing goes from one to the other as host_0, …

    Both take any batch if their operators allow it, otherwise one frame at a time: then the first
    dimension of their inputs is 1.

    Args:
        tensors: the model's inputs and the accelerator's streams, [samples, …] each.
    """
    graph = stream_graph(model)
    into = _unique([edge.value for edge in graph.inputs])
    out = _unique([edge.value for edge in graph.outputs])
    pre_nodes = [node for node in model.graph if part(node) == HOST_PRE]
    post_nodes = [node for node in model.graph if part(node) == HOST_POST]
    kept = _from_before(model, post_nodes, out)
    streams_in = [f"s_axis_{i}" for i in range(len(into))]
    handed = [f"host_{i}" for i in range(len(kept))]
    given = {str(v.name): tensors[str(v.name)][:2] for v in model.graph.inputs}
    pre = _any_batch(
        [
            _half(model, pre_nodes, model.graph.inputs, [*into, *kept], free)
            for free in (True, False)
        ],
        given,
    )
    names = {str(v.name): tensors[str(v.name)][:2].astype(_carrier(v)) for v in out}
    if kept:
        found = BatchRunner(pre).run(given)
        names |= {str(v.name): found[str(v.name)] for v in kept}
    post = _any_batch(
        [
            _half(model, post_nodes, [*out, *kept], list(model.graph.outputs), free)
            for free in (True, False)
        ],
        names,
    )
    _name_outputs(pre, [*streams_in, *handed])
    finals = [str(value.name) for value in model.graph.outputs]
    streams_out = [f"m_axis_{i}" for i in range(len(out))]
    for value, name in zip(post.graph.inputs, [*streams_out, *handed], strict=True):
        value.name = name
    _name_outputs(post, finals)
    return pre, post


def _carrier(value: ir.Value) -> np.dtype[Any]:
    """What carries a tensor's integers in ONNX; they are kept in narrower types."""
    return np.dtype(np.float32) if value.dtype is None else np.dtype(value.dtype.numpy())


def _from_before(
    model: ir.Model, post_nodes: Sequence[ir.Node], out: Sequence[ir.Value]
) -> list[ir.Value]:
    """Tensors from before the accelerator that postprocessing uses, or that are outputs."""
    inside = {v for node in post_nodes for v in node.outputs} | set(out)
    used = [v for node in post_nodes for v in node.inputs if v is not None]
    wanted = _unique([*used, *model.graph.outputs])
    return [v for v in wanted if v.const_value is None and v not in inside]


def _half(
    model: ir.Model,
    nodes: Sequence[ir.Node],
    inputs: Sequence[ir.Value],
    outputs: Sequence[ir.Value],
    free: bool,
) -> ir.Model:
    """One half; every output comes from a node of it, under the name that its tensor has."""
    return expand(model, inputs=inputs, outputs=outputs, nodes=nodes, any_batch=free)


def _any_batch(halves: Sequence[ir.Model], feeds: Tensors) -> ir.Model:
    """The first of two models, which takes any batch, if for two samples together it gives what
    the second gives for each alone; else the second."""
    free, fixed = halves
    try:
        together = Session(free).run(feeds)
        count = len(next(iter(feeds.values())))
        for index in range(count):
            alone = Session(fixed).run({n: a[index : index + 1] for n, a in feeds.items()})
            for name, array in alone.items():
                if array.ndim == 0 or together[name].shape != (count, *array.shape[1:]):
                    return fixed
                if not np.allclose(together[name][index : index + 1], array, equal_nan=True):
                    return fixed
    except ModelError:
        return fixed
    return free


def _unique(values: Sequence[ir.Value]) -> list[ir.Value]:
    return list(dict.fromkeys(values))


def _name_outputs(model: ir.Model, names: Sequence[str]) -> None:
    """Give outputs names of their own; one that is an input, a constant or an output twice goes
    through an Identity."""
    graph = model.graph
    seen: set[ir.Value] = set()
    for index, (value, name) in enumerate(zip(list(graph.outputs), names, strict=True)):
        if value in graph.inputs or value.const_value is not None or value in seen:
            node = ir.node("Identity", [value])
            graph.append(node)
            if value.name == name and value.const_value is not None:
                value.name = f"{name}_constant"
            node.outputs[0].type, node.outputs[0].shape = value.type, value.shape
            value = node.outputs[0]
            graph.outputs[index] = value
        seen.add(value)
        value.name = name
