# SPDX-License-Identifier: Apache-2.0
"""SystemVerilog of a StreamingSplit."""

from __future__ import annotations

from qnnc.backends.design import NodeRtl, port_names
from qnnc.backends.rtl.rtl_node import Templates, finish
from qnnc.nodes.streaming_split.node import StreamingSplit

TEMPLATES = Templates(__name__)


def generate(node: StreamingSplit) -> NodeRtl:
    """Words go to each stream in its turn."""
    simd = node.folding().SIMD
    text = TEMPLATES.render(
        "streaming_split.sv.j2",
        counts=[channels // simd for channels in node.channels],
        names=port_names("m_axis", len(node.channels)),
        width=simd * node.x_type.bitwidth(),
    )
    return finish(node, text)
