# SPDX-License-Identifier: Apache-2.0
"""SystemVerilog of a StreamingConcat."""

from __future__ import annotations

from qnnc.backends.design import NodeRtl, port_names
from qnnc.backends.rtl.rtl_node import Templates, extended_lanes, finish
from qnnc.nodes.streaming_concat.node import StreamingConcat

TEMPLATES = Templates(__name__)


def generate(node: StreamingConcat) -> NodeRtl:
    """Each stream in its turn."""
    simd, bits = node.folding().SIMD, node.out_type.bitwidth()
    names = port_names("s_axis", len(node.channels))
    streams = [
        {
            "name": name,
            "width": simd * kind.bitwidth(),
            "count": channels // simd,
            "word": extended_lanes(f"{name}_tdata", simd, kind, bits),
        }
        for name, kind, channels in zip(names, node.types, node.channels, strict=True)
    ]
    text = TEMPLATES.render(
        "streaming_concat.sv.j2",
        counts=[stream["count"] for stream in streams],
        streams=streams,
        width=simd * bits,
    )
    return finish(node, text)
