# SPDX-License-Identifier: Apache-2.0
"""SystemVerilog of a DynamicMVAU: an MVAU whose weights come from a memory of two matrices."""

from __future__ import annotations

from qnnc.backends.design import NodeRtl
from qnnc.backends.rtl.rtl_node import finish
from qnnc.nodes.dynamic_mvau.node import WORD_LATENCY, DynamicMVAU
from qnnc.nodes.mvau.rtl import TEMPLATES, lanes


def generate(node: DynamicMVAU) -> NodeRtl:
    """The unit under the folding in its attributes."""
    folding = node.folding()
    dot, acc_bits = node.dot_product(folding), node.out_type.bitwidth()
    unit = node.unit(folding)
    depth, fifo = unit.output
    starts = range(0, folding.PE, dot.lanes)
    text = TEMPLATES.render(
        "mvau.sv.j2",
        mh=node.MH,
        mw=node.MW,
        pe=folding.PE,
        simd=folding.SIMD,
        scheme=dot.scheme,
        modules=unit.modules,
        x_axis="s_axis_0",
        x_width=folding.SIMD * dot.x_bits,
        x_bits=dot.x_bits,
        w_width=dot.lanes * folding.SIMD * dot.w_bits,
        w_bits=folding.PE * folding.SIMD * dot.w_bits,
        total_width=dot.lanes * acc_bits,
        acc_bits=acc_bits,
        planes=dot.group is None,
        steps=node.steps(folding),
        passes=node.passes(folding),
        correction_bits=0,
        dot_latency=dot.latency,
        matrix=node.buffer(folding),
        groups=[(first, min(dot.lanes, folding.PE - first)) for first in starts],
        digit_bits=dot.w_bits,
        digit_signed=int(dot.w_signed),
        trits=0,
        port_bits=0,
        weight_latency=WORD_LATENCY,
        late=int(dot.accumulates),
        depth=depth,
        buffer="qnnc_output_fifo" if fifo else "qnnc_output_buffer",
    )
    return finish(node, text + lanes(dot, node.steps(folding), acc_bits))
