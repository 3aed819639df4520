# SPDX-License-Identifier: Apache-2.0
"""Small edits of a graph that every pass needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import ArrayLike, NDArray

from qnnc.compiler.errors import ModelError, quote
from qnnc.compiler.ir.facts import add_sources

QONNX = "qonnx.custom_op.general"
FINN = "finn.custom_op.fpgadataflow"
QNNC = "qnnc"
"""Domains: QONNX's operators, FINN's dataflow nodes, and our own few."""


def constant(value: ir.Value | None) -> NDArray[Any] | None:
    """The array of an initializer, in its shape, or None for anything computed."""
    if value is None or value.const_value is None or not value.is_initializer():
        return None
    return value.const_value.numpy()


def shape_of(value: ir.Value) -> tuple[int, ...]:
    """The static shape of a value; raises ModelError where it is unknown."""
    if value.shape is None or not all(isinstance(d, int) for d in value.shape):
        shown = "unknown" if value.shape is None else str([str(d) for d in value.shape])
        raise ModelError(
            f"tensor {quote(value.name)} has no static shape ({shown}); "
            "export the model with a fixed input shape"
        )
    return tuple(int(d) for d in value.shape)  # type: ignore[arg-type]


def attribute(node: ir.Node, name: str, default: Any = None) -> Any:
    """The Python value of an attribute."""
    found = node.attributes.get(name)
    return default if found is None else found.value


def ancestors(nodes: Iterable[ir.Node]) -> set[ir.Node]:
    """What some nodes are computed from; of themselves, those that another depends on."""
    found: set[ir.Node] = set()
    stack = list(nodes)
    while stack:
        for value in stack.pop().inputs:
            node = value.producer() if value is not None else None
            if node is not None and node not in found:
                found.add(node)
                stack.append(node)
    return found


class Editor:
    """Inserts nodes before a given node, with unique names and provenance."""

    def __init__(self, graph: ir.Graph) -> None:
        self.graph = graph
        self._taken = {v.name for v in graph.inputs} | set(graph.initializers)
        self._taken |= {v.name for node in graph for v in node.outputs}
        self._positions: dict[ir.Node, int] | None = None

    def position(self, node: ir.Node) -> int:
        """Where a node stood when this was first asked, counted from the front."""
        if self._positions is None:
            self._positions = {n: i for i, n in enumerate(self.graph)}
        return self._positions.get(node, -1)

    def fresh(self, base: str) -> str:
        """A value name that the graph does not have yet."""
        name, number = base, 1
        while name in self._taken:
            number += 1
            name = f"{base}_{number}"
        self._taken.add(name)
        return name

    def initializer(self, name: str, data: ArrayLike) -> ir.Value:
        """A constant of the graph, of the array's own type and shape."""
        array = np.asarray(data)
        name = self.fresh(name)
        contiguous = np.ascontiguousarray(array).reshape(array.shape)  # which makes scalars lists
        tensor = ir.Tensor(contiguous, name=name)
        value = ir.Value(
            name=name,
            shape=ir.Shape(array.shape),
            type=ir.TensorType(tensor.dtype),
            const_value=tensor,
        )
        self.graph.register_initializer(value)
        return value

    def insert(
        self,
        before: ir.Node | None,
        op_type: str,
        inputs: Sequence[ir.Value | None],
        name: str,
        *,
        attributes: Mapping[str, Any] | None = None,
        domain: str = "",
        shape: Iterable[int] | None = None,
        dtype: ir.DataType = ir.DataType.FLOAT,
        origins: Sequence[ir.Node] = (),
        outputs: int = 1,
    ) -> ir.Value:
        """Add a node before `before` (at the end if None) and return its first output.

        Args:
            name: base of the output's and the node's name, made unique.
            origins: nodes whose provenance the new one takes on.
        """
        fixed = None if shape is None else list(shape)
        results = [
            ir.Value(
                name=self.fresh(name),
                shape=None if fixed is None else ir.Shape(fixed),
                type=ir.TensorType(dtype),
            )
            for _ in range(outputs)
        ]
        node = ir.node(
            op_type,
            list(inputs),
            dict(attributes or {}),
            domain=domain,
            outputs=results,
            name=results[0].name,
        )
        add_sources(node, *origins)
        if before is None:
            self.graph.append(node)
        else:
            self.graph.insert_before(before, node)
        return results[0]

    def copy(
        self,
        before: ir.Node | None,
        node: ir.Node,
        inputs: Sequence[ir.Value | None],
        name: str,
        *,
        shape: Iterable[int] | None = None,
        dtype: ir.DataType = ir.DataType.FLOAT,
    ) -> ir.Value:
        """Add a node's operator once more, on other inputs, and return its first output.

        Args:
            name: as for `insert`.
            shape: of the output; by default that of the node's own.
        """
        return self.insert(
            before,
            node.op_type,
            inputs,
            name,
            attributes={key: a.value for key, a in node.attributes.items()},
            domain=node.domain,
            shape=shape_of(node.outputs[0]) if shape is None else shape,
            dtype=dtype,
            origins=(node,),
        )


def replace_value(old: ir.Value, new: ir.Value, *, take_name: bool = True) -> None:
    """Let every user of `old`, graph outputs included, use `new`.

    Args:
        take_name: `new` takes over the name, so that a tensor is called the same at every stage.
            Names of graph outputs are always taken over.
    """
    graph = old.graph
    if graph is not None and old.is_graph_output():
        for index, output in enumerate(graph.outputs):
            if output is old:
                graph.outputs[index] = new
        take_name = True
    if take_name and not new.is_initializer():
        name = old.name
        old.name = f"{name}#replaced"
        new.name = name
    for user, index in list(old.uses()):
        user.replace_input_with(index, new)


def remove_unused(model: ir.Model) -> int:
    """Drop nodes and constants that no output depends on; returns how many nodes."""
    graph = model.graph
    outputs = set(graph.outputs)
    removed = 0
    for node in reversed(graph):
        if not any(v in outputs or v.uses() for v in node.outputs):
            graph.remove(node, safe=True)
            removed += 1
    for name, value in list(graph.initializers.items()):
        if not value.uses() and value not in outputs:
            del graph.initializers[name]
    return removed
