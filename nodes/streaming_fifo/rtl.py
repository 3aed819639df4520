# SPDX-License-Identifier: Apache-2.0
"""SystemVerilog of a StreamingFIFO."""

from __future__ import annotations

from qnnc.backends.design import NodeRtl
from qnnc.backends.rtl.rtl_node import Templates, finish
from qnnc.compiler.dataflow import DataflowNode
from qnnc.nodes.streaming_fifo.node import StreamingFIFO

TEMPLATES = Templates(__name__)


def generate(node: DataflowNode) -> NodeRtl:
    """The library's FIFO with this node's sizes."""
    assert isinstance(node, StreamingFIFO)
    text = TEMPLATES.render(
        "streaming_fifo.sv.j2",
        depth=node.depth,
        width=node.lanes * node.datatype.bitwidth(),
        block=int(node.block),
    )
    return finish(node, text)
