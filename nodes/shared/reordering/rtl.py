# SPDX-License-Identifier: Apache-2.0
"""SystemVerilog of UpsampleNearestNeighbour and Shuffle: a memory of two halves."""

from __future__ import annotations

from qnnc.backends.design import NodeRtl
from qnnc.backends.rtl.rtl_node import Templates, finish
from qnnc.compiler.dataflow.cost import bits_for, block_ram
from qnnc.nodes.shared.reordering.node import Reordering

TEMPLATES = Templates(__name__)


def generate(node: Reordering) -> NodeRtl:
    """Written in order, read by nested loops; a step is a constant, modulo a power of two."""
    folding = node.folding()
    loops, half_bits = node.loops(folding), bits_for(node.block_words(folding))
    stream = node.ports(folding).inputs[0]
    block = folding.ram_style == "block"
    done, jumps = 0, []
    for loop in loops:
        jumps.append(loop.stride - done)
        done += (loop.count - 1) * loop.stride
    jumps.append(-done)
    constants = [f"{half_bits}'d{jump % (1 << half_bits)}" for jump in jumps]
    text = constants[-1]
    for level in reversed(range(len(loops))):
        text = f"~last_{level} ? {constants[level]} : {text}"
    return finish(
        node,
        TEMPLATES.render(
            "reordering.sv.j2",
            about=f"{node.op_type}: {' x '.join(str(loop.count) for loop in loops)} words",
            block_words=node.block_words(folding),
            half_bits=half_bits,
            first_word=node.first_word(folding),
            width=stream.bits,
            depth=node.depth(folding),
            loops=loops,
            jump=text,
            block=int(block),
            bank=block_ram(stream.bits, node.depth(folding)).bank if block else 0,
        ),
    )
