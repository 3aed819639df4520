# SPDX-License-Identifier: Apache-2.0
"""Cycles and resources of converting a stream to words of another size."""

from __future__ import annotations

import math

from qnnc.compiler.dataflow import cost
from qnnc.compiler.resources import Resources


def converter_cycles(elements: int, lanes_in: int, lanes_out: int) -> int:
    """Cycles per frame: one for every word of the narrowest stream inside."""
    return elements // math.gcd(lanes_in, lanes_out)


def converter_resources(element_bits: int, lanes_in: int, lanes_out: int) -> Resources:
    """Estimate of a converter (`qnnc_dwc_down`, `qnnc_dwc_up`); nothing where widths agree."""
    between = math.gcd(lanes_in, lanes_out)
    width = between * element_bits
    luts, ffs = 0.0, 0
    parts = lanes_in // between
    if parts > 1:
        if parts <= 4:
            luts += width * math.ceil((parts - 1) / 3) + cost.counter(parts) + 7
        else:
            # the OR over parts is mapped for few levels, not for few LUTs
            luts += width * (0.3 * parts - 0.6) + parts + 8
            ffs += parts * (width + 1)
        ffs += (2 * parts + 1) * width + 6
    parts = lanes_out // between
    if parts > 1:
        luts += cost.counter(parts) + 6
        ffs += (2 * parts - 1) * width + 8
    return Resources(LUT=luts, FF=ffs)
