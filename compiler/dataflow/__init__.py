# SPDX-License-Identifier: Apache-2.0
"""Dataflow nodes, one declaration a file, found through the entry-point group `qnnc.nodes`."""

from __future__ import annotations

import onnx_ir as ir

from qnnc.compiler import plugins
from qnnc.compiler.dataflow.base import DataflowNode, Folding, Ports, Stream
from qnnc.compiler.errors import PluginError
from qnnc.compiler.ir.edit import FINN


def is_dataflow(node: ir.Node) -> bool:
    """The node is a FINN dataflow node."""
    return node.domain == FINN


def declaration(node: ir.Node) -> DataflowNode:
    """The declaration of a dataflow node, wrapped around it.

    Raises:
        OptionError: no installed package declares the operator.
    """
    found = plugins.load_class("qnnc.nodes", node.op_type, "dataflow node")(node)
    if not isinstance(found, DataflowNode):
        raise PluginError(f"dataflow node {node.op_type!r} is no {DataflowNode.__module__} class")
    return found


__all__ = ["DataflowNode", "Folding", "Ports", "Stream", "declaration", "is_dataflow"]
