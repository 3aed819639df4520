# SPDX-License-Identifier: Apache-2.0
"""SystemVerilog of an MVAU: input buffer, weight stream, lanes, output buffer."""

from __future__ import annotations

import numpy as np

from qnnc.backends.design import BLOCK, LOGIC, LUTS, Memory, NodeRtl
from qnnc.backends.rtl.lane import correction_module, lane_module
from qnnc.backends.rtl.rtl_node import MODULE, codes, finish, packed, render
from qnnc.compiler.dataflow import DataflowNode, Folding
from qnnc.compiler.dataflow.dot_product import is_bipolar
from qnnc.compiler.dataflow.mvau import MVAU


def generate(node: DataflowNode) -> NodeRtl:
    """The unit under the folding in its attributes."""
    assert isinstance(node, MVAU)
    folding = node.folding()
    dot = node.dot_product(folding)
    memory = node.weight_memory(folding)
    depth, fifo = node.output_depth(folding)
    acc_bits = node.out_type.bitwidth()
    text = render(
        "mvau.sv.j2",
        mh=node.MH,
        mw=node.MW,
        pe=folding.PE,
        simd=folding.SIMD,
        scheme=dot.scheme,
        x_width=folding.SIMD * dot.x_bits,
        w_width=folding.SIMD * dot.w_bits,
        acc_bits=acc_bits,
        planes=folding.resType != "dsp",
        x_bits=dot.x_bits,
        steps=node.steps(folding),
        passes=node.passes(folding),
        group=memory.group,
        style=weight_style(folding),
        weight_latency=node.weight_latency(folding),
        correction_bits=dot.correction.width if dot.correction else 0,
        dot_latency=dot.latency,
        depth=depth,
        buffer="qnnc_output_fifo" if fifo else "qnnc_output_buffer",
    )
    if dot.correction:
        text += "\n" + correction_module(f"{MODULE}_correction", dot)
    text += "\n" + lane_module(f"{MODULE}_lane", dot, node.steps(folding), acc_bits)
    return finish(node, text, {"WEIGHTS_FILE": weight_memory(node, folding)})


def weight_memory(node: MVAU, folding: Folding) -> Memory:
    """Weights in the order of use: word nf * SF + sf holds, for each of PE outputs, the SIMD
    weights of step sf, as bit planes unless DSP blocks want them whole; GROUP words side by side
    make a row."""
    steps, passes = node.steps(folding), node.passes(folding)
    shape = node.weight_memory(folding)
    bits = node.w_type.bitwidth()
    values = codes(node.weights(), is_bipolar(node.w_type))
    # [MW, MH] -> [SF, SIMD, NF, PE] -> [NF, SF, PE, SIMD]
    arranged = values.reshape(steps, folding.SIMD, passes, folding.PE).transpose(2, 0, 3, 1)
    if folding.resType != "dsp":
        arranged = (arranged[..., None, :] >> np.arange(bits)[:, None]) & 1
        bits = 1
    words = arranged.reshape(steps * passes, -1)
    missing = shape.rows * shape.group - shape.depth
    rows = np.pad(words, ((0, missing), (0, 0))).reshape(shape.rows, -1)
    return Memory(
        packed(rows, bits),
        shape.group * shape.width,
        LOGIC if shape.depth == 1 else weight_style(folding),
        "weights.stream.rom",
    )


def weight_style(folding: Folding) -> int:
    """What weights are kept in."""
    return BLOCK if folding.ram_style == "block" else LUTS
