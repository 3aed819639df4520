# SPDX-License-Identifier: Apache-2.0
"""What an MVAU costs, by folding; weights that are part of the logic: `embedded_weights`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from qnnc.compiler.dataflow import cost
from qnnc.compiler.resources import Resources
from qnnc.nodes.mvau import embedded_weights
from qnnc.nodes.mvau.trits import decoder_luts

if TYPE_CHECKING:
    from qnnc.nodes.mvau.node import MVAU, MVAUFolding


def resources(node: MVAU, folding: MVAUFolding) -> Resources:
    """LUT, FF, BRAM18 and DSP of the unit under a folding."""
    if node.is_buffered(folding):
        return _external_resources(node, folding)
    if node.in_logic(folding):
        return embedded_weights.resources(node)
    found = node.unit(folding).resources + _weight_resources(node, folding)
    if node.in_trits(folding):
        count = folding.PE * folding.SIMD
        found += Resources(decoder_luts(count), 2 * count)
    return found


def _weight_resources(node: MVAU, folding: MVAUFolding) -> Resources:
    """Of the weight memory, or of the port that weights come over vector by vector."""
    if node.is_external(folding):
        outside = node.external(folding)
        return outside.port_resources + Resources(LUT=2, FF=outside.word_bits)
    memory = node.weight_memory(folding)
    luts = cost.counter(memory.rows) + cost.counter(memory.group)
    luts += cost.multiplexer(memory.width, memory.group)
    if folding.ram_style == "block":
        return Resources(LUT=luts, BRAM18=memory.BRAM18)
    return Resources(luts + cost.lut_memory(memory.width, memory.depth), 2 * memory.width)


def _external_resources(node: MVAU, folding: MVAUFolding) -> Resources:
    """Of the unit with weights that are used for several vectors."""
    dot, outside = node.dot_product(folding), node.external(folding)
    acc_bits = node.out_type.bitwidth()
    modules = math.ceil(folding.PE / dot.lanes)
    sums = modules * dot.lanes * acc_bits
    several = outside.steps > 1
    offsets = any(map(dot.lane_offset, range(dot.lanes)))
    luts = float(modules * dot.luts + dot.shared_luts)
    luts += sums if several or dot.numbers == 2 or offsets else 0
    luts += sums * math.ceil((outside.reuse - 1) / 32) if several else 0
    ffs = modules * dot.registers + (sums if several else 0)
    ffs += outside.x_bits + 3 * (dot.latency + 1)
    return outside.resources + Resources(luts, ffs, 0, modules * dot.dsps)
