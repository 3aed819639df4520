# SPDX-License-Identifier: Apache-2.0
"""SystemVerilog of a StreamingDataWidthConverter."""

from __future__ import annotations

from qnnc.backends.design import NodeRtl
from qnnc.backends.rtl.rtl_node import finish, render
from qnnc.compiler.dataflow import DataflowNode
from qnnc.compiler.dataflow.streaming_data_width_converter import StreamingDataWidthConverter


def generate(node: DataflowNode) -> NodeRtl:
    """Down to the greatest common divisor, then up."""
    assert isinstance(node, StreamingDataWidthConverter)
    text = render(
        "width_converter.sv.j2",
        lanes_in=node.lanes_in,
        lanes_out=node.lanes_out,
        lanes_between=node.lanes_between,
        bits=node.datatype.bitwidth(),
    )
    return finish(node, text)
