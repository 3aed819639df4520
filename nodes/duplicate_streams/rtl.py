# SPDX-License-Identifier: Apache-2.0
"""SystemVerilog of a DuplicateStreams."""

from __future__ import annotations

from qnnc.backends.design import NodeRtl, port_names
from qnnc.backends.rtl.rtl_node import finish, render
from qnnc.compiler.dataflow import DataflowNode
from qnnc.compiler.dataflow.duplicate_streams import DuplicateStreams


def generate(node: DataflowNode) -> NodeRtl:
    """A buffer for each copy; a word is taken when all have room."""
    assert isinstance(node, DuplicateStreams)
    text = render(
        "duplicate.sv.j2",
        copies=node.copies,
        names=port_names("m_axis", node.copies),
        width=node.folding().PE * node.datatype.bitwidth(),
    )
    return finish(node, text)
