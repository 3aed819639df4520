# SPDX-License-Identifier: Apache-2.0
"""The host's graphs as plain steps that the driver can run in numpy, without onnx."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

Steps = dict[str, Any]


def host_steps(path: Path) -> tuple[Steps, dict[str, NDArray[Any]]]:
    """Steps and constants of an ONNX graph.

    Returns:
        A JSON object with inputs, outputs and nodes, and arrays by name. Names are numbered: those
        of the model are of no use to the driver.
    """
    graph = onnx.load(path).graph
    names: dict[str, str] = {"": ""}

    def name(original: str) -> str:
        return names.setdefault(original, f"t{len(names)}")

    constants = {name(i.name): numpy_helper.to_array(i) for i in graph.initializer}
    nodes = []
    for node in graph.node:
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        if node.op_type == "Constant":
            constants[name(node.output[0])] = numpy_helper.to_array(attributes["value"])
            continue
        if node.op_type == "Cast":
            attributes = {"to": np.dtype(helper.tensor_dtype_to_np_dtype(attributes["to"])).name}
        nodes.append(
            {
                "op": node.op_type,
                "inputs": [name(i) for i in node.input],
                "outputs": [name(o) for o in node.output],
                "attributes": {k: _plain(v) for k, v in attributes.items()},
            }
        )
    given = {i.name for i in graph.initializer}
    return {
        "inputs": [name(i.name) for i in graph.input if i.name not in given],
        "outputs": [name(o.name) for o in graph.output],
        "one_frame": _one_frame(graph),
        "nodes": nodes,
    }, constants


def _one_frame(graph: onnx.GraphProto) -> bool:
    """The graph takes one frame at a time: the batch of its inputs is fixed."""
    given = {i.name for i in graph.initializer}
    shapes = [i.type.tensor_type.shape.dim for i in graph.input if i.name not in given]
    return any(len(dims) > 0 and dims[0].HasField("dim_value") for dims in shapes)


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return list(value) if isinstance(value, tuple) else value
