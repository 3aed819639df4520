# SPDX-License-Identifier: Apache-2.0
"""SystemVerilog of PreviousStates."""

from __future__ import annotations

from qnnc.backends.design import NodeRtl, port_names
from qnnc.backends.rtl.rtl_node import Templates, finish
from qnnc.nodes.previous_states.node import PreviousStates

TEMPLATES = Templates(__name__)


def generate(node: PreviousStates) -> NodeRtl:
    """A memory of one vector for each state."""
    count = len(node.states)
    names = zip(port_names("s_axis", count), port_names("m_axis", count), strict=True)
    states = [
        {
            "s_name": s_name,
            "m_name": m_name,
            "width": stream.bits,
            "words": stream.shape[-1] // stream.lanes,
            "depth": node.room[index],
            "start": _hex(node.start(index).tolist(), int(stream.datatype.bitwidth())),
        }
        for index, (stream, (s_name, m_name)) in enumerate(zip(node.states, names, strict=True))
    ]
    text = TEMPLATES.render("previous_states.sv.j2", states=states, steps=node.steps)
    return finish(node, text)


def _hex(elements: list[int], bits: int) -> str:
    """A vector's code in hexadecimal, element 0 in the low bits."""
    code = 0
    for element in reversed(elements):
        code = (code << bits) | (element & ((1 << bits) - 1))
    return f"{code:x}"
