# SPDX-License-Identifier: Apache-2.0
"""SystemVerilog of an MVAU: input buffer, weight stream, lanes, output buffer."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from qnnc.backends.design import LOGIC, Memory, NodeRtl
from qnnc.backends.rtl.constant_matrix import MatrixWriter
from qnnc.backends.rtl.dsp_lane import dsp_lane_module
from qnnc.backends.rtl.lane import correction_module, lane_module
from qnnc.backends.rtl.rtl_node import MODULE, Templates, codes, finish, ram_style
from qnnc.compiler.dataflow.dot_product import DotProduct, is_bipolar
from qnnc.compiler.dataflow.dsp_packing import packed_digits
from qnnc.nodes.mvau import embedded_weights
from qnnc.nodes.mvau.node import MVAU, MVAUFolding
from qnnc.nodes.mvau.trits import coded

TEMPLATES = Templates(__name__)


def generate(node: MVAU) -> NodeRtl:
    """The unit under the folding in its attributes."""
    folding = node.folding()
    if node.is_buffered(folding):
        return generate_buffered(node, folding)
    if node.in_logic(folding):
        return generate_embedded(node)
    outside = node.external(folding) if node.is_external(folding) else None
    dot = node.dot_product(folding)
    memory = node.weight_memory(folding)
    depth, fifo = node.unit(folding).output
    text = TEMPLATES.render(
        "mvau.sv.j2",
        **_common(node, folding),
        x_axis="s_axis",
        matrix=None,
        group=memory.group,
        trits=folding.PE * folding.SIMD if node.in_trits(folding) else 0,
        word_bits=memory.width,
        style=ram_style(folding.ram_style),
        port_bits=8 * outside.port_bytes if outside else 0,
        weight_latency=node.weight_latency(folding),
        late=int(dot.accumulates),
        depth=depth,
        buffer="qnnc_output_fifo" if fifo else "qnnc_output_buffer",
    )
    text += _lanes(node, folding)
    if outside:
        return finish(node, text, weights=weight_words(node, folding))
    return finish(node, text, {"WEIGHTS_FILE": weight_memory(node, folding)})


def generate_buffered(node: MVAU, folding: MVAUFolding) -> NodeRtl:
    """The unit with external weights, each word used for several vectors."""
    outside = node.external(folding)
    text = TEMPLATES.render(
        "mvau_external.sv.j2",
        **_common(node, folding),
        batch=outside.reuse,
        block=int(outside.block),
        port_bits=8 * outside.port_bytes,
        beats=outside.beats,
    )
    return finish(node, text + _lanes(node, folding), weights=weight_words(node, folding))


def weight_words(node: MVAU, folding: MVAUFolding) -> NDArray[np.uint8]:
    """The stream of external weights, [words, bytes], once through the matrix."""
    outside = node.external(folding)
    bits = _weight_bits(node, folding)
    words = np.zeros((len(bits), outside.beats * outside.port_bytes), dtype=np.uint8)
    packed_ = np.packbits(bits, axis=1, bitorder="little")
    words[:, : packed_.shape[1]] = packed_
    return words.reshape(-1, outside.port_bytes)


def generate_embedded(node: MVAU) -> NodeRtl:
    """The unit with its weights in the logic."""
    plan, acc_bits = embedded_weights.matrix_plan(node), node.out_type.bitwidth()
    text = TEMPLATES.render(
        "mvau_embedded.sv.j2",
        mh=node.MH,
        mw=node.MW,
        x_width=node.MW * node.x_type.bitwidth(),
        y_width=node.MH * acc_bits,
        text=MatrixWriter(plan, "x", "totals", acc_bits).write(),
        stages=plan.latency,
        at_input=embedded_weights.waits_at_input(node),
    )
    return finish(node, text)


def _common(node: MVAU, folding: MVAUFolding) -> dict[str, object]:
    """What both templates need."""
    dot = node.dot_product(folding)
    acc_bits = node.out_type.bitwidth()
    return {
        "mh": node.MH,
        "mw": node.MW,
        "pe": folding.PE,
        "simd": folding.SIMD,
        "scheme": dot.scheme,
        "modules": math.ceil(folding.PE / dot.lanes),
        "x_width": folding.SIMD * dot.x_bits,
        "w_width": dot.lanes * folding.SIMD * dot.w_bits,
        "w_bits": folding.PE * folding.SIMD * dot.w_bits,
        "total_width": dot.lanes * acc_bits,
        "acc_bits": acc_bits,
        "planes": dot.group is None,
        "x_bits": dot.x_bits,
        "steps": node.steps(folding),
        "passes": node.passes(folding),
        "correction_bits": dot.correction.width if dot.correction else 0,
        "dot_latency": dot.latency,
    }


def _lanes(node: MVAU, folding: MVAUFolding) -> str:
    batch = folding.reuse if node.is_buffered(folding) else 1
    return lanes(node.dot_product(folding), node.steps(folding), node.out_type.bitwidth(), batch)


def lanes(dot: DotProduct, steps: int, acc_bits: int, batch: int = 1) -> str:
    """The modules of the lanes."""
    text = ""
    if dot.correction:
        text += "\n" + correction_module(f"{MODULE}_correction", dot)
    if dot.group:
        lane = dsp_lane_module(f"{MODULE}_lane", dot.group, steps, acc_bits, batch)
    else:
        lane = lane_module(f"{MODULE}_lane", dot, steps, acc_bits, batch)
    return text + "\n" + lane


def weight_memory(node: MVAU, folding: MVAUFolding) -> Memory:
    """Weights in the order of use, GROUP words side by side in a row."""
    shape = node.weight_memory(folding)
    words = _weight_bits(node, folding)
    missing = shape.rows * shape.group - shape.depth
    rows = np.pad(words, ((0, missing), (0, 0))).reshape(shape.rows, -1)
    return Memory(
        [int.from_bytes(row, "little") for row in np.packbits(rows, axis=1, bitorder="little")],
        shape.group * shape.width,
        LOGIC if shape.depth == 1 else ram_style(folding.ram_style),
        "weights.stream.rom",
    )


def _weight_bits(node: MVAU, folding: MVAUFolding) -> NDArray[np.uint8]:
    """Bits [words, bits] of the weights in the order of use: word nf * SF + sf holds, for each of
    PE outputs, the SIMD weights of step sf, as bit planes or, for DSP blocks, as the digits of
    packed words, or as trits in fives."""
    steps, passes = node.steps(folding), node.passes(folding)
    dot = node.dot_product(folding)
    places = np.arange(dot.w_bits)
    values = codes(node.weights(), is_bipolar(node.w_type))
    # [MW, MH] -> [SF, SIMD, NF, PE] -> [NF, SF, PE, SIMD]
    arranged = values.reshape(steps, folding.SIMD, passes, folding.PE).transpose(2, 0, 3, 1)
    if node.in_trits(folding):
        return coded(arranged.reshape(steps * passes, -1))
    if dot.group:
        found = _digits(arranged, dot.lanes)[..., None] >> places
    else:
        found = arranged[..., None, :] >> places[:, None]
    return (found & 1).astype(np.uint8).reshape(steps * passes, -1)


def _digits(weights: NDArray[np.int64], lanes: int) -> NDArray[np.int64]:
    """Weights [NF, SF, PE, SIMD] as digits, each of which depends on those before it in its
    group of `lanes`."""
    digits = weights.copy()
    for first in range(0, weights.shape[2], lanes):
        group = weights[:, :, first : first + lanes].swapaxes(2, 3)
        digits[:, :, first : first + lanes] = packed_digits(group).swapaxes(2, 3)
    return digits
