# SPDX-License-Identifier: Apache-2.0
"""SystemVerilog of a StreamingFIFO."""

from __future__ import annotations

from qnnc.backends.design import NodeRtl
from qnnc.backends.rtl.rtl_node import finish, render
from qnnc.compiler.dataflow import DataflowNode
from qnnc.compiler.dataflow.streaming_fifo import StreamingFIFO


def generate(node: DataflowNode) -> NodeRtl:
    """The library's FIFO with this node's sizes."""
    assert isinstance(node, StreamingFIFO)
    text = render(
        "fifo.sv.j2",
        depth=node.depth,
        width=node.lanes * node.datatype.bitwidth(),
        block=int(node.block),
    )
    return finish(node, text)
