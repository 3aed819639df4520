# SPDX-License-Identifier: Apache-2.0
"""SystemVerilog of a StreamingDataWidthConverter."""

from __future__ import annotations

from qnnc.backends.design import NodeRtl
from qnnc.backends.rtl.rtl_node import Templates, finish
from qnnc.nodes.streaming_data_width_converter.node import StreamingDataWidthConverter

TEMPLATES = Templates(__name__)


def generate(node: StreamingDataWidthConverter) -> NodeRtl:
    """Down to the greatest common divisor, then up."""
    text = TEMPLATES.render(
        "streaming_data_width_converter.sv.j2",
        lanes_in=node.lanes_in,
        lanes_out=node.lanes_out,
        lanes_between=node.lanes_between,
        bits=node.datatype.bitwidth(),
    )
    return finish(node, text)
