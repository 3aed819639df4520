# SPDX-License-Identifier: Apache-2.0
"""SystemVerilog of an MVAU: input buffer, weight stream, lanes, output buffer."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from qnnc.backends.design import BLOCK, LOGIC, LUTS, Memory, NodeRtl
from qnnc.backends.rtl.dsp_lane import dsp_lane_module
from qnnc.backends.rtl.lane import correction_module, lane_module
from qnnc.backends.rtl.rtl_node import MODULE, codes, finish, packed, render
from qnnc.compiler.dataflow import DataflowNode, Folding
from qnnc.compiler.dataflow.dot_product import is_bipolar
from qnnc.compiler.dataflow.dsp_packing import packed_digits
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
        modules=math.ceil(folding.PE / dot.lanes),
        x_width=folding.SIMD * dot.x_bits,
        w_width=dot.lanes * folding.SIMD * dot.w_bits,
        w_bits=folding.PE * folding.SIMD * dot.w_bits,
        total_width=dot.lanes * acc_bits,
        acc_bits=acc_bits,
        planes=dot.group is None,
        x_bits=dot.x_bits,
        steps=node.steps(folding),
        passes=node.passes(folding),
        group=memory.group,
        style=weight_style(folding),
        weight_latency=node.weight_latency(folding),
        correction_bits=dot.correction.width if dot.correction else 0,
        dot_latency=dot.latency,
        late=int(dot.accumulates),
        depth=depth,
        buffer="qnnc_output_fifo" if fifo else "qnnc_output_buffer",
    )
    if dot.correction:
        text += "\n" + correction_module(f"{MODULE}_correction", dot)
    if dot.group:
        lane = dsp_lane_module(f"{MODULE}_lane", dot.group, node.steps(folding), acc_bits)
    else:
        lane = lane_module(f"{MODULE}_lane", dot, node.steps(folding), acc_bits)
    text += "\n" + lane
    return finish(node, text, {"WEIGHTS_FILE": weight_memory(node, folding)})


def weight_memory(node: MVAU, folding: Folding) -> Memory:
    """Weights in the order of use: word nf * SF + sf holds, for each of PE outputs, the SIMD
    weights of step sf, as bit planes or, for DSP blocks, as the digits of packed words; GROUP
    words side by side make a row."""
    steps, passes = node.steps(folding), node.passes(folding)
    shape, dot = node.weight_memory(folding), node.dot_product(folding)
    bits = dot.w_bits
    values = codes(node.weights(), is_bipolar(node.w_type))
    # [MW, MH] -> [SF, SIMD, NF, PE] -> [NF, SF, PE, SIMD]
    arranged = values.reshape(steps, folding.SIMD, passes, folding.PE).transpose(2, 0, 3, 1)
    if dot.group:
        arranged = _digits(arranged, dot.lanes)
    else:
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


def _digits(weights: NDArray[np.int64], lanes: int) -> NDArray[np.int64]:
    """Weights [NF, SF, PE, SIMD] as digits, each of which hangs on those before it in its
    group of `lanes`."""
    digits = weights.copy()
    for first in range(0, weights.shape[2], lanes):
        group = weights[:, :, first : first + lanes].swapaxes(2, 3)
        digits[:, :, first : first + lanes] = packed_digits(group).swapaxes(2, 3)
    return digits


def weight_style(folding: Folding) -> int:
    """What weights are kept in."""
    return BLOCK if folding.ram_style == "block" else LUTS
