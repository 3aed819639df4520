# SPDX-License-Identifier: Apache-2.0
"""What an MVAU and a DynamicMVAU have in common: everything but where the weights come from."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from qonnx.core.datatype import BaseDataType

from qnnc.compiler.dataflow import cost
from qnnc.compiler.dataflow.base import divisors
from qnnc.compiler.dataflow.dot_product import DotProduct
from qnnc.compiler.dataflow.dsp_packing import MAX_FIELDS, fits_dsp
from qnnc.compiler.dataflow.folding import Arithmetic
from qnnc.compiler.resources import Resources

MAX_DSPS = 220
"""DSP48E1s of a Z7020."""
DSP_FROM_BITS = 12
"""Partial products below which LUTs are cheaper."""


def sizes(inputs: int, outputs: int, most: int) -> Iterator[tuple[int, int]]:
    """SIMD and PE of all foldings of a matrix [inputs, outputs] with at most so many products per
    cycle."""
    for simd in divisors(inputs):
        for pe in divisors(outputs):
            if simd * pe > most:
                break
            yield simd, pe


def dsp_helps(x: BaseDataType, w: BaseDataType) -> bool:
    """DSP blocks take these operands, and LUTs are not cheaper."""
    return bool(x.bitwidth() * w.bitwidth() >= DSP_FROM_BITS and fits_dsp(x, w))


def arithmetic(dsp: bool, simd: int, pe: int) -> tuple[Arithmetic, ...]:
    """What may multiply: LUTs, and DSP blocks where they help and enough of them exist."""
    enough = simd * math.ceil(pe / MAX_FIELDS) <= MAX_DSPS
    return ("lut", "dsp") if dsp and enough else ("lut",)


@dataclass(frozen=True, kw_only=True)
class DotUnit:
    """Lanes, the input buffer before them and the output buffer after them (`mvau.sv.j2`).

    Attributes:
        dot: the lanes' arithmetic.
        pe: outputs per pass.
        steps: SF, steps of a pass.
        passes: NF, passes over a vector.
        x_width: bits of a word of inputs.
        acc_bits: bits of an output.
        weight_latency: cycles from a step to its weights.
    """

    dot: DotProduct
    pe: int
    steps: int
    passes: int
    x_width: int
    acc_bits: int
    weight_latency: int

    @property
    def modules(self) -> int:
        """Instances of the lane's module."""
        return math.ceil(self.pe / self.dot.lanes)

    @property
    def dot_latency(self) -> int:
        """Cycles from weights to the sum of a pass."""
        return self.dot.latency + int(self.dot.accumulates)

    @cached_property
    def output(self) -> tuple[int, bool]:
        """Words of the output buffer, and whether it is an SRL FIFO instead of a register row.

        Enough for a result to leave every SF cycles: a credit is away from the last step of a
        pass until its result is taken.
        """
        away = self.weight_latency + self.dot_latency + 2
        if self.steps >= 4:
            return math.ceil(away / (self.steps - 1)), False
        return math.ceil((away + 2) / self.steps) + 1, True

    @property
    def latency(self) -> int:
        """Cycles from the last step of a pass to its result."""
        return self.weight_latency + self.dot_latency + self.output[0]

    @property
    def resources(self) -> Resources:
        """LUT, FF and DSP, as synthesis gave them; the weights' are not included."""
        dot, modules = self.dot, self.modules
        depth, srl = self.output
        luts = float(modules * dot.luts + dot.shared_luts)
        offsets = any(map(dot.lane_offset, range(dot.lanes)))
        if not dot.accumulates and (self.steps > 1 or dot.numbers == 2 or offsets):
            luts += modules * dot.lanes * (self.acc_bits + 1)
        luts += cost.counter(self.steps) + cost.counter(self.passes) + 12
        if self.passes > 1 and self.steps > 1:
            luts += cost.counter(self.steps) + 4
            luts += cost.lut_ram(self.x_width, 2 << cost.bits_for(self.steps))
        luts += 3 * depth if not srl else self.pe * self.acc_bits + 12

        held = depth + int(self.steps > 1 and not dot.accumulates)
        ffs = modules * dot.registers + self.pe * self.acc_bits * held
        waiting = self.weight_latency + (2 if self.steps == 1 < self.passes else 0)
        ffs += self.x_width * waiting + 40
        return Resources(luts, ffs, 0, modules * dot.dsps)
