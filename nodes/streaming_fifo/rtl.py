# SPDX-License-Identifier: Apache-2.0
"""SystemVerilog of a StreamingFIFO."""

from __future__ import annotations

from qnnc.backends.design import NodeRtl
from qnnc.backends.rtl.rtl_node import Templates, finish
from qnnc.compiler.dataflow.cost import block_ram
from qnnc.nodes.streaming_fifo.node import StreamingFIFO

TEMPLATES = Templates(__name__)


def generate(node: StreamingFIFO) -> NodeRtl:
    """The library's FIFO with this node's sizes."""
    width = node.lanes * node.datatype.bitwidth()
    text = TEMPLATES.render(
        "streaming_fifo.sv.j2",
        depth=node.depth,
        width=width,
        block=int(node.block),
        bank=block_ram(width, node.depth - 1).bank if node.block else 0,
    )
    return finish(node, text)
