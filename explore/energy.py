# SPDX-License-Identifier: Apache-2.0
"""An estimate of the dynamic energy of one frame. Not a measurement: good for comparing networks.

Energy of 45 nm operations at 0.9 V from Horowitz, "Computing's Energy Problem (and what we can do
about it)", ISSCC 2014: 8-bit addition 0.03 pJ, 8-bit multiplication 0.2 pJ, 64 bits from an 8 KB
SRAM 10 pJ, 64 bits from DRAM 1,300 pJ. Additions are taken to grow with their bits and
multiplications with the product of them. Logic in an FPGA takes 14 times an ASIC's dynamic power:
Kuon and Rose, "Measuring the Gap Between FPGAs and ASICs", IEEE TCAD 26(2), 2007. Static power and
the processor are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

ADD_8_PJ = 0.03
MULTIPLY_8_PJ = 0.2
SRAM_BIT_PJ = 10 / 64
DRAM_BIT_PJ = 1300 / 64
FPGA_LOGIC = 14


@dataclass(frozen=True)
class Product:
    """A linear layer.

    Attributes:
        inputs, outputs: its size.
        weight_bits, input_bits: widths of the factors.
        external_bits: weight bits read from DRAM for each frame; all others come from on-chip
            memory, once per frame.
    """

    inputs: int
    outputs: int
    weight_bits: int
    input_bits: int
    external_bits: float = 0.0


def product_pj(layer: Product) -> float:
    """Picojoules of one layer for one frame; a factor of one bit is an XNOR, counted as 1 x n."""
    macs = layer.inputs * layer.outputs
    accumulator = layer.weight_bits + layer.input_bits + layer.inputs.bit_length()
    multiply = MULTIPLY_8_PJ * layer.weight_bits * layer.input_bits / 64
    add = ADD_8_PJ * accumulator / 8
    on_chip = max(0.0, macs * layer.weight_bits - layer.external_bits)
    memory = on_chip * SRAM_BIT_PJ + layer.external_bits * DRAM_BIT_PJ
    return macs * (multiply + add) * FPGA_LOGIC + memory


def frame_uj(layers: Sequence[Product]) -> float:
    """Microjoules of a frame."""
    return sum(map(product_pj, layers)) / 1e6
