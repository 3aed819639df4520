# SPDX-License-Identifier: Apache-2.0
"""SystemVerilog of a StreamingSplit."""

from __future__ import annotations

from qnnc.backends.design import NodeRtl, port_names
from qnnc.backends.rtl.rtl_node import finish, render
from qnnc.compiler.dataflow import DataflowNode
from qnnc.compiler.dataflow.streaming_split import StreamingSplit


def generate(node: DataflowNode) -> NodeRtl:
    """Words go to each stream in its turn."""
    assert isinstance(node, StreamingSplit)
    simd = node.folding().SIMD
    text = render(
        "split.sv.j2",
        counts=[channels // simd for channels in node.channels],
        names=port_names("m_axis", len(node.channels)),
        width=simd * node.datatype.bitwidth(),
    )
    return finish(node, text)
