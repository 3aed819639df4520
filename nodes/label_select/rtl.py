# SPDX-License-Identifier: Apache-2.0
"""SystemVerilog of a LabelSelect."""

from __future__ import annotations

from qnnc.backends.design import NodeRtl
from qnnc.backends.rtl.rtl_node import Templates, finish
from qnnc.nodes.label_select.node import LabelSelect

TEMPLATES = Templates(__name__)


def generate(node: LabelSelect) -> NodeRtl:
    """The library's selector with this node's sizes."""
    text = TEMPLATES.render(
        "label_select.sv.j2",
        k=node.k,
        labels=node.labels,
        pe=node.folding().PE,
        bits=node.x_type.bitwidth(),
        signed=int(node.x_type.min() < 0),
        index_bits=node.out_type.bitwidth(),
    )
    return finish(node, text)
