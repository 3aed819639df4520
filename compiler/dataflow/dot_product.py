# SPDX-License-Identifier: Apache-2.0
"""How a lane of a matrix-vector unit multiplies: from integer types to a heap of bits.

Four schemes, each exact:

* `xnor`: both operands one bit, standing for -1 and +1; pairs are compared and counted (the
  popcount of FINN's binaryXnorMode).
* `ternary`: both in {-1, 0, +1}; the product plus one is two bits, each a function of four.
* `planes`: any other widths; every activation bit meets every weight bit in an AND worth
  2**(p+q). A plane of negative worth is a NAND and a constant. With bipolar weights b,
  sum x*(2b-1) = 2*sum(x AND b) - sum(x), and sum(x) is counted once for all lanes.
* `dsp`: DSP48E1, each of which multiplies for as many lanes as fit (`dsp_packing`).

Constants never cost logic: they are collected in `offset` and start the accumulator.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache

from qonnx.core.datatype import BaseDataType, DataType

from qnnc.compiler.dataflow.compressor import Plan, make_plan, total
from qnnc.compiler.dataflow.dsp_packing import DspGroup, WeightRange, plan_dsp_group

SCHEMES = ("xnor", "ternary", "planes", "dsp")


@dataclass(frozen=True)
class DotProduct:
    """The arithmetic of a lane, or of the lanes that share DSPs, for SIMD products a cycle each.

    A lane's partial sum is `tree` (plus, with `correction`, twice the tree plus the
    complement of the correction tree); the true sum of a step is partial + offset.

    Attributes:
        w_bits: bits of a weight as it is stored.
        group: of lanes that share DSPs, if the scheme is `dsp`.
    """

    scheme: str
    simd: int
    x_bits: int
    x_signed: bool
    w_bits: int
    w_signed: bool
    tree: Plan
    correction: Plan | None
    offset: int
    group: DspGroup | None = None

    @property
    def lanes(self) -> int:
        """Lanes of a module."""
        return self.group.fields if self.group else 1

    @property
    def accumulates(self) -> bool:
        """The module sums up the steps of a pass by itself."""
        return self.group is not None and self.group.accumulate

    def lane_offset(self, lane: int) -> int:
        """The offset of one of a module's lanes."""
        return self.group.offset(lane) if self.group else self.offset

    @property
    def partial_bits(self) -> int:
        """Width of the unsigned partial sum."""
        if self.correction is None:
            return self.tree.width
        return max(self.tree.width + 1, self.correction.width) + 1

    @property
    def latency(self) -> int:
        """Cycles from operands to partial sum."""
        if self.group:
            return self.group.latency
        if self.correction:
            return max(self.tree.latency, self.correction.latency) + 1
        return self.tree.latency

    @property
    def luts(self) -> int:
        """LUTs of a module, accumulators not included."""
        if self.group:
            return self.group.luts
        luts = self.tree.luts
        if self.scheme == "ternary":
            luts += 2 * self.simd
        if self.correction is not None:
            luts += max(self.tree.width, self.correction.width)
        return luts

    @property
    def registers(self) -> int:
        """Flip-flops of a module, accumulators not included."""
        if self.group:
            return self.group.registers
        return self.tree.registers + (self.partial_bits if self.correction else 0)

    @property
    def shared_luts(self) -> int:
        """LUTs that all lanes of a unit share."""
        return self.correction.luts if self.correction else 0

    @property
    def dsps(self) -> int:
        """DSP48E1 of a module."""
        return self.simd if self.group else 0


def is_bipolar(datatype: BaseDataType) -> bool:
    """The type holds -1 and +1 only."""
    return bool(datatype == DataType["BIPOLAR"])


def is_ternary(datatype: BaseDataType) -> bool:
    """The type holds -1, 0 and +1."""
    return bool(datatype.min() == -1 and datatype.max() == 1 and not is_bipolar(datatype))


def plane_worths(bits: int, signed: bool) -> list[tuple[int, int]]:
    """(exponent, sign) of each bit of a two's complement or unsigned number, bit 0 first."""
    return [(bit, -1 if signed and bit == bits - 1 else 1) for bit in range(bits)]


@lru_cache(maxsize=4096)
def plan_dot_product(
    x_type: BaseDataType, w_type: BaseDataType, simd: int, *, xnor: bool
) -> DotProduct:
    """Choose the scheme in LUTs for a pair of types and plan its tree.

    Args:
        x_type: integer type of the activations; not BIPOLAR (use BINARY and an offset).
        w_type: integer type of the weights.
        simd: products a cycle.
        xnor: both operands are BINARY codes of -1 and +1, the result is a popcount.
    """
    x_bits, w_bits = x_type.bitwidth(), w_type.bitwidth()
    x_signed, w_signed = x_type.min() < 0, w_type.min() < 0
    pairs: Counter[int] = Counter()
    bits: Counter[int] = Counter()
    correction: Plan | None = None
    offset = 0
    if xnor:
        scheme = "xnor"
        pairs[0] = simd
    elif is_bipolar(w_type):
        scheme = "planes"
        correction, below = _sum_of_inputs(x_bits, x_signed, simd)
        # partial = 2*tree + (2**k - 1 - c), where c + below is the true sum of inputs
        offset -= (1 << correction.width) - 1 + below
        for p, sign in plane_worths(x_bits, x_signed):
            pairs[p] += simd
            offset -= 2 * (simd << p) if sign < 0 else 0
    elif is_ternary(x_type) and is_ternary(w_type):
        scheme = "ternary"
        bits[0] = bits[1] = simd
        offset -= simd
    else:
        scheme = "planes"
        for p, x_sign in plane_worths(x_bits, x_signed):
            for q, w_sign in plane_worths(w_bits, w_signed):
                pairs[p + q] += simd
                offset -= (simd << (p + q)) if x_sign != w_sign else 0
    largest = 2 * simd if scheme == "ternary" else total(_heights(pairs + bits))
    tree = make_plan(pairs, bits, largest.bit_length())
    return DotProduct(
        scheme,
        simd,
        x_bits,
        x_signed,
        w_bits,
        w_signed and not is_bipolar(w_type),
        tree,
        correction,
        offset,
    )


def plan_dsp_product(
    x_type: BaseDataType,
    w_type: BaseDataType,
    weights: WeightRange,
    *,
    simd: int,
    pe: int,
    steps: int,
) -> DotProduct:
    """The scheme `dsp`; arguments as for `plan_dsp_group`."""
    group = plan_dsp_group(x_type, w_type, weights, simd=simd, pe=pe, steps=steps)
    return DotProduct(
        "dsp",
        simd,
        group.x_bits,
        group.x_signed,
        group.digit_bits,
        group.w_signed,
        group.tree,
        None,
        0,
        group,
    )


def _heights(columns: Counter[int]) -> list[int]:
    return [columns[column] for column in range(max(columns) + 1)]


def _sum_of_inputs(x_bits: int, x_signed: bool, simd: int) -> tuple[Plan, int]:
    """Tree of the sum of a word's activations, and what to add to its result."""
    bits = Counter(dict.fromkeys(range(x_bits), simd))
    below = -(simd << (x_bits - 1)) if x_signed else 0
    return make_plan({}, bits, total(_heights(bits)).bit_length()), below
