# SPDX-License-Identifier: Apache-2.0
"""SystemVerilog of a QuantSoftmax."""

from __future__ import annotations

from qnnc.backends.design import LOGIC, Memory, NodeRtl
from qnnc.backends.rtl.rtl_node import Templates, finish
from qnnc.compiler.dataflow.cost import bits_for
from qnnc.nodes.quant_softmax.node import QuantSoftmax

TEMPLATES = Templates(__name__)


def generate(node: QuantSoftmax) -> NodeRtl:
    """The library's unit with this node's sizes and tables."""
    folding = node.folding()
    words, waits = node.words(folding), node.waiting(folding)
    terms, scaled = (table[: node.distances].tolist() for table in node.exponents.tables)
    text = TEMPLATES.render(
        "quant_softmax.sv.j2",
        channels=node.channels,
        pe=folding.PE,
        words=words,
        waits=waits,
        vectors_inside=-(-waits // words) + 2,
        x_bits=node.x_type.bitwidth(),
        x_signed=int(node.x_type.min() < 0),
        distances=node.distances,
        term_bits=node.term_bits,
        scaled_bits=node.scaled_bits,
        sum_bits=node.sum_bits,
        quotient_bits=node.quotient_bits,
        rounding=node.rounding,
        most=node.most,
        base=node.base,
        out_bits=node.out_type.bitwidth(),
    )
    spare = (1 << bits_for(node.distances)) - node.distances
    rows = [(b << node.term_bits) | a for a, b in zip(terms, scaled, strict=True)] + [0] * spare
    memory = Memory(rows, node.term_bits + node.scaled_bits, LOGIC, "rom")
    return finish(node, text, {"EXPONENTS_FILE": memory})
