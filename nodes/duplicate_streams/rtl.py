# SPDX-License-Identifier: Apache-2.0
"""SystemVerilog of a DuplicateStreams."""

from __future__ import annotations

from qnnc.backends.design import NodeRtl, port_names
from qnnc.backends.rtl.rtl_node import Templates, finish
from qnnc.nodes.duplicate_streams.node import DuplicateStreams

TEMPLATES = Templates(__name__)


def generate(node: DuplicateStreams) -> NodeRtl:
    """A buffer for each copy; a word is taken when all have room."""
    text = TEMPLATES.render(
        "duplicate_streams.sv.j2",
        copies=node.copies,
        names=port_names("m_axis", node.copies),
        width=node.folding().PE * node.x_type.bitwidth(),
    )
    return finish(node, text)
