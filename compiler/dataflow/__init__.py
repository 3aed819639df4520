# SPDX-License-Identifier: Apache-2.0
"""What all dataflow nodes have in common; each is declared in its folder under `nodes/`."""

from __future__ import annotations

import onnx_ir as ir

from qnnc.compiler.dataflow.base import DataflowNode, Kind, Ports, Role, Stream
from qnnc.compiler.dataflow.folding import Folding
from qnnc.compiler.dataflow.registry import facet
from qnnc.compiler.errors import PluginError
from qnnc.compiler.ir.edit import FINN


def is_dataflow(node: ir.Node) -> bool:
    """The node is a FINN dataflow node."""
    return node.domain == FINN


def node_class(op_type: str) -> type[DataflowNode]:
    """The class that declares an operator.

    Raises:
        OptionError: no installed package has it.
        PluginError: its package is broken.
    """
    found = getattr(facet(op_type, "node"), op_type, None)
    if not isinstance(found, type) or not issubclass(found, DataflowNode):
        raise PluginError(
            f"dataflow node {op_type!r}: its module `node` has no subclass of DataflowNode called "
            f"{op_type}"
        )
    return found


def role_of(node: ir.Node) -> Role:
    """What a node computes; OTHER for one that is not a dataflow node."""
    return node_class(node.op_type).role if is_dataflow(node) else Role.OTHER


def declaration(node: ir.Node) -> DataflowNode:
    """The declaration of a dataflow node, wrapped around it; raises as `node_class` does."""
    return node_class(node.op_type)(node)


__all__ = [
    "DataflowNode",
    "Folding",
    "Kind",
    "Ports",
    "Role",
    "Stream",
    "declaration",
    "is_dataflow",
    "node_class",
    "role_of",
]
