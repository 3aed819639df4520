# SPDX-License-Identifier: Apache-2.0
"""SystemVerilog of NextStates."""

from __future__ import annotations

from qnnc.backends.design import NodeRtl, port_names
from qnnc.backends.rtl.rtl_node import Templates, finish
from qnnc.nodes.next_states.node import NextStates

TEMPLATES = Templates(__name__)


def generate(node: NextStates) -> NodeRtl:
    """Two buffers for each state; a word is taken when both have room."""
    count = len(node.states)
    s_names, m_names = port_names("s_axis", count), port_names("m_axis", 2 * count)
    states = [
        {
            "s_name": s_names[index],
            "m_names": [m_names[index], m_names[count + index]],
            "lanes": stream.lanes,
            "bits": int(stream.datatype.bitwidth()),
            "x_bits": int(node.x_types[index].bitwidth()),
            "signed": node.x_types[index].min() < 0,
        }
        for index, stream in enumerate(node.states)
    ]
    return finish(node, TEMPLATES.render("next_states.sv.j2", states=states))
