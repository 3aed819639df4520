# SPDX-License-Identifier: Apache-2.0
"""Several products in one DSP48E1: weights side by side in the 25-bit port, one activation.

Lanes of a matrix-vector unit share their activations, so that `fields` of them can share a
multiplier: with A = sum of w_f * 2**(f*spacing), the product A * x holds w_f * x at bit
f*spacing. DSPs of different activations form a chain over PCIN/PCOUT and add up, and the sums
are separated again:

* Start values on the chain's C port make every sum non-negative, so that nothing is borrowed
  from the field above; they are constants, taken back by the accumulator.
* With `overlap` j > 0, a sum may be j bits wider than the spacing. What the field above holds
  below 2**j is known, since arithmetic modulo 2**j takes a few LUTs: what it lacks to a multiple
  of 2**j, g, goes in through the C port too, so that the j bits are the lower sum's alone. The
  sum above is then (its bits from j on, followed by ~g) - (2**j - 1).

Everything follows from the ranges of activations and weights: `n` products need
n * (largest - smallest product) < 2**(spacing + j), less the rounding of the start value.

Weights are stored as the digits that the port wants: a negative lower field takes one from the
digit above, so that the port's word is wiring only. Where the most negative weight occurs, a
digit needs one bit more.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray
from qonnx.core.datatype import BaseDataType

from qnnc.compiler.dataflow.compressor import Plan, make_plan

A_PORT, B_PORT, P_PORT = 25, 18, 48
"""Bits of the DSP48E1's multiplier ports, signed, and of its adder."""
MAX_FIELDS = 3
MAX_OVERLAP = 2
MAX_CHAIN = 16
DSP_IN_LUTS = 240.0
"""A DSP48E1 is worth as many LUTs as the Z7020 has for each (53,200 / 220)."""
FLIP_FLOP_IN_LUTS = 0.05


@dataclass(frozen=True)
class WeightRange:
    """Smallest and largest weight there is; a weight of zero is always allowed for."""

    low: int
    high: int

    @classmethod
    def of(cls, weights: NDArray[np.int64]) -> WeightRange:
        """Of an array of any shape."""
        return cls(min(0, int(weights.min())), max(0, int(weights.max())))


@dataclass(frozen=True)
class Chain:
    """DSPs that add up `count` products of every field.

    Attributes:
        count: of DSPs.
        starts: what the C port adds to each field; with what reaches in from below, the bits
            of a field below 2**overlap are zero.
        width: bits of a field's sum, start value and g included.
    """

    count: int
    starts: tuple[int, ...]
    width: int


@dataclass(frozen=True)
class DspGroup:
    """The arithmetic of lanes that share DSPs.

    Attributes:
        fields: lanes that share a DSP.
        spacing: bits between fields.
        overlap: bits by which a sum may be wider than the spacing.
        digit_bits: bits of a stored digit of a weight.
        w_signed: digits are signed.
        x_bits: bits of an activation.
        x_signed: it is signed.
        chains: DSPs that are added inside the DSP column; their results go to `tree`.
        tree: sums a field's results over the chains, without a register before it.
        accumulate: the one DSP adds up the steps of a pass too; fields below the highest start
            at half their range.
    """

    fields: int
    spacing: int
    overlap: int
    digit_bits: int
    w_signed: bool
    x_bits: int
    x_signed: bool
    chains: tuple[Chain, ...]
    tree: Plan
    accumulate: bool = False

    @property
    def simd(self) -> int:
        """Activations per cycle."""
        return sum(chain.count for chain in self.chains)

    @property
    def word_bits(self) -> int:
        """Bits of the packed word of weights."""
        return self.spacing * (self.fields - 1) + self.digit_bits

    @cached_property
    def levels(self) -> int:
        """Clock cycles between the first and the last addition of a chain, plus one: two DSPs
        add in a cycle."""
        return math.ceil(max(chain.count for chain in self.chains) / 2)

    @property
    def latency(self) -> int:
        """Cycles from operands to sum; accumulating, to the cycle before P holds it."""
        return 2 if self.accumulate else 2 + self.levels + self.tree.latency

    def offset(self, field: int) -> int:
        """What to add to the tree's result for the true sum of a step."""
        taken = (1 << self.overlap) - 1 if field else 0
        return -sum(chain.starts[field] + taken for chain in self.chains)

    @property
    def luts(self) -> int:
        """LUTs of a group, accumulators not included."""
        residues = sum(residue_luts(chain.count, self.overlap) for chain in self.chains)
        return self.fields * self.tree.luts + (self.fields - 1) * residues

    @property
    def registers(self) -> int:
        """Flip-flops of a group, accumulators not included."""
        operand = self.fields * self.digit_bits + self.x_bits
        flops = self.fields * self.tree.registers
        for count, chains in Counter(chain.count for chain in self.chains).items():
            flops += chains * operand * sum(operand_delays(count, self.levels))
            if self.overlap:
                first = residue_registers(count, self.overlap)
                flops += chains * (self.fields - 1) * (first + self.overlap * (self.levels + 1))
        return flops

    @property
    def price(self) -> float:
        """LUTs that it is worth, accumulators not included."""
        return self.luts + FLIP_FLOP_IN_LUTS * self.registers + DSP_IN_LUTS * self.simd


def operand_delays(count: int, levels: int) -> Iterator[int]:
    """Cycles by which logic delays the operands of each DSP of a chain; the first cycle is the
    DSP's own second register."""
    for index in range(count):
        yield max(0, chain_level(index, count, levels) - 1)


def chain_level(index: int, count: int, levels: int) -> int:
    """Cycle, from 0, in which a DSP of a chain adds: two to a level, then one."""
    doubles = count - levels
    return index // 2 if index < 2 * doubles else index - doubles


def residue_luts(count: int, overlap: int) -> int:
    """LUTs of a field's sum of `count` products modulo 2**overlap."""
    if overlap == 0:
        return 0
    if overlap == 1:
        pairs = math.ceil(count / 2)
        return pairs + (math.ceil((pairs - 1) / 5) if pairs > 1 else 0)
    return 2 * count + (0 if count == 1 else count)


def residue_registers(count: int, overlap: int) -> int:
    """Flip-flops between its two stages."""
    return math.ceil(count / 2) if overlap == 1 else overlap * count


def packed_digits(weights: NDArray[np.int64]) -> NDArray[np.int64]:
    """Digits [..., fields] of the words that hold weights [..., fields] side by side."""
    digits = weights.astype(np.int64, copy=True)
    for field in range(1, digits.shape[-1]):
        digits[..., field] -= digits[..., field - 1] < 0
    return digits


def product_range(x_type: BaseDataType, weights: WeightRange) -> tuple[int, int]:
    """Smallest and largest product; zero lies between."""
    ends = (int(x_type.min()), int(x_type.max()))
    products = [x * w for x in ends for w in (weights.low, weights.high)]
    return min(0, *products), max(0, *products)


def fits_dsp(x_type: BaseDataType, w_type: BaseDataType) -> bool:
    """A DSP48E1 can multiply the two."""
    narrow, wide = sorted(_port_bits(t) for t in (x_type, w_type))
    return wide <= A_PORT and narrow <= B_PORT


def _port_bits(datatype: BaseDataType) -> int:
    return int(datatype.bitwidth()) + int(datatype.min() >= 0)


@lru_cache(maxsize=4096)
def plan_dsp_group(
    x_type: BaseDataType,
    w_type: BaseDataType,
    weights: WeightRange,
    *,
    simd: int,
    pe: int,
    steps: int,
) -> DspGroup:
    """The cheapest group, in LUTs and what flip-flops and DSPs are worth in them.

    Args:
        x_type: integer type of the activations.
        w_type: integer type of the weights; `fits_dsp` holds.
        weights: range of the weights that are there.
        simd: activations per cycle.
        pe: lanes of the unit.
        steps: of a pass.
    """
    groups = [
        group
        for fields in range(1, min(pe, MAX_FIELDS) + 1)
        for group in _groups(x_type, w_type, weights, simd, fields, steps if simd == 1 else 1)
    ]
    smallest, largest = product_range(x_type, weights)
    total_bits = (steps * simd * (largest - smallest)).bit_length()

    def price(group: DspGroup) -> tuple[float, int]:
        accumulator = 0 if group.accumulate or steps == 1 else total_bits
        # the last group may not be full
        whole = math.ceil(pe / group.fields) * (group.price + group.fields * accumulator)
        return whole, group.overlap

    return min(groups, key=price)


@lru_cache(maxsize=1024)
def _groups(
    x_type: BaseDataType,
    w_type: BaseDataType,
    weights: WeightRange,
    simd: int,
    fields: int,
    accumulated: int,
) -> tuple[DspGroup, ...]:
    """Groups of so many fields; the same for all numbers of lanes and of steps but where DSPs
    accumulate.

    Args:
        accumulated: steps whose products a DSP may add up by itself; 1 for none.
    """
    signed = w_type.min() < 0
    bits = int(w_type.bitwidth())
    if fields > 1 and signed and weights.low - 1 < -(1 << (bits - 1)):
        bits += 1
    if fields > 1 and _port_bits(x_type) > B_PORT:
        return ()
    spacing = (A_PORT - bits - (not signed)) // (fields - 1) if fields > 1 else P_PORT
    if spacing < bits:
        return ()
    smallest, largest = product_range(x_type, weights)
    found: list[DspGroup] = []

    def add(overlap: int, chains: tuple[Chain, ...], accumulate: bool = False) -> None:
        width = max(chain.width for chain in chains)
        heights = {p: sum(chain.width > p for chain in chains) for p in range(width)}
        tree = make_plan({}, heights, rows=2, registered=False)
        x_bits, x_signed = int(x_type.bitwidth()), x_type.min() < 0
        found.append(
            DspGroup(
                fields, spacing, overlap, bits, signed, x_bits, x_signed, chains, tree, accumulate
            )
        )

    half = 1 << (spacing - 1)
    if accumulated > 1 and -half <= accumulated * smallest and accumulated * largest < half:
        add(0, (Chain(1, (half,) * (fields - 1) + (0,), spacing),), accumulate=True)
    for overlap in range(MAX_OVERLAP + 1 if fields > 1 else 1):
        for longest in range(1, min(simd, MAX_CHAIN) + 1):
            counts = _balanced(simd, math.ceil(simd / longest))
            if max(counts) < longest:
                continue
            chains = tuple(
                _chain(count, smallest, largest, fields, spacing, overlap) for count in counts
            )
            width = max(chain.width for chain in chains)
            if fields > 1 and width > spacing + overlap:
                break
            if fields * spacing - spacing + width > P_PORT:
                break
            add(overlap, chains)
    return tuple(found)


def _chain(
    count: int, smallest: int, largest: int, fields: int, spacing: int, overlap: int
) -> Chain:
    step = 1 << overlap
    starts: list[int] = []
    carried = 0  # what the fields below have in this one
    for _ in range(fields):
        least = -count * smallest
        starts.append(least + (-carried - least) % step if starts else least)
        carried = (carried + starts[-1]) >> spacing
    width = (count * largest + max(starts) + step - 1).bit_length()
    return Chain(count, tuple(starts), width)


def _balanced(total: int, parts: int) -> list[int]:
    return [total // parts + (part < total % parts) for part in range(parts)]
