# SPDX-License-Identifier: Apache-2.0
"""What a node's facet `finn` says for the hand-over, and how it is found."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray
from qonnx.core.datatype import BaseDataType

from qnnc.compiler.dataflow import DataflowNode
from qnnc.compiler.dataflow.registry import facet, lacks
from qnnc.compiler.dataflow.stream_graph import StreamGraph
from qnnc.compiler.errors import ModelError, PluginError, quote

COMMON = "backend preferred_impl_style inFIFODepths outFIFODepths partition_id slr"


class ToFinn:
    """A node as FINN (finn-plus 1.6.1) takes it; the facet's subclass is called `Finn`.

    Attributes:
        attributes: that FINN's operator takes besides those that all take, space-separated.
        style: whether FINN makes it in HLS or RTL where the build leaves that open.
        inserted: FINN puts such nodes in by itself, so that they are left out.
    """

    attributes: ClassVar[str] = ""
    style: ClassVar[Literal["hls", "rtl"]] = "hls"
    inserted: ClassVar[bool] = False

    def __init__(self, node: DataflowNode) -> None:
        self.node = node

    @classmethod
    def taken(cls) -> frozenset[str]:
        """Every attribute that FINN's operator takes."""
        return frozenset(f"{COMMON} {cls.attributes}".split())

    def prepare(self, graph: StreamGraph, index: int) -> None:
        """Rewrite the node, number `index` of the graph, in place, so that FINN can take it.

        Raises:
            ModelError: FINN cannot do what the node does.
        """

    def refusal(self) -> str:
        """Why FINN cannot do what the node does; empty if it can."""
        return ""

    def group(self) -> int | None:
        """Channels that a depthwise node works on at once; None for other nodes."""
        return None

    def changed(self, lanes: int | None) -> dict[str, int]:
        """Attributes that are others in FINN.

        Args:
            lanes: `group` of the depthwise node that takes the output, None if none does.
        """
        return {}

    def cycles(self, lanes: int | None) -> int:
        """Cycles per frame that FINN's estimate gives; `lanes` as for `changed`."""
        return self.node.cycles(self.node.folding())

    def negate(self, falling: NDArray[np.bool_], kind: BaseDataType) -> int:
        """Turn the sign of some output channels of a product; returns what the new and the old
        outputs add up to.

        Args:
            falling: [outputs].
            kind: type of the outputs.

        Raises:
            ModelError: they cannot be turned.
        """
        raise ModelError(
            f"node {quote(self.node.name)}: the signs of its weights cannot be turned for FINN"
        )


def to_finn(node: DataflowNode) -> ToFinn:
    """A node's side of the hand-over.

    Raises:
        ModelError: it has none; the message says why.
        PluginError: its package is broken.
    """
    if reason := lacks(node.op_type, "finn"):
        raise ModelError(f"node {quote(node.name)} ({node.op_type}): {reason}")
    return finn_class(node.op_type)(node)


def finn_class(op_type: str) -> type[ToFinn]:
    """The class of an operator's side of the hand-over; raises PluginError if there is none."""
    found = getattr(facet(op_type, "finn"), "Finn", None)
    if not isinstance(found, type) or not issubclass(found, ToFinn):
        raise PluginError(
            f"dataflow node {op_type!r}: its module `finn` has no subclass Finn of ToFinn"
        )
    return found


def depthwise_lanes(graph: StreamGraph, index: int) -> int | None:
    """`group` of the depthwise node that takes a node's output, None if none does.

    FINN's window generator then gives all elements of a group of channels before the next group's,
    and a group must be what its consumer works on at once.
    """
    at = index
    while True:
        targets = [e.target for e in graph.edges if e.source is not None and e.source.node == at]
        if len(targets) != 1 or targets[0] is None:
            return None
        at = targets[0].node
        found = to_finn(graph.nodes[at])
        if not found.inserted:
            return found.group()


def replace_constant(node: ir.Node, index: int, array: NDArray[np.generic]) -> None:
    """Give a constant input other numbers, of any shape. Its value may have other users: it is a
    new one."""
    old = node.inputs[index]
    assert old is not None and old.const_value is not None
    kept = array.astype(old.const_value.numpy().dtype)
    name = f"{old.name}_{node.name}"
    value = ir.Value(
        name=name,
        const_value=ir.tensor(kept, name=name),
        shape=ir.Shape(kept.shape),
        type=old.type,
    )
    graph = node.graph
    assert graph is not None
    graph.initializers[name] = value
    node.replace_input_with(index, value)
