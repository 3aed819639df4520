# SPDX-License-Identifier: Apache-2.0
"""How a lane of a matrix-vector unit multiplies: from integer types to a heap of bits.

Four schemes, each exact:

* `xnor`: both operands one bit, standing for -1 and +1; pairs are compared and counted (the
  popcount of FINN's binaryXnorMode).
* `ternary`: both in {-1, 0, +1}; the product plus one is two bits, both functions of the same
  four, so one LUT.
* `planes`: any other widths; every activation bit meets every weight bit in an AND worth
  2**(p+q). A plane of negative worth is a NAND and a constant. The wider operand's bits gated by
  one bit of the other are a row; rows of two elements are added as they are gated, in a LUT for
  two ANDs. With bipolar weights b, sum x*(2b-1) = 2*sum(x AND b) - sum(x), and sum(x) is counted
  once for all lanes.
* `dsp`: DSP48E1, each of which multiplies for as many lanes as fit (`dsp_packing`).

Constants never cost logic: they are collected in `offset` and start the accumulator.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache

from qonnx.core.datatype import BaseDataType, DataType

from qnnc.compiler.dataflow.compressor import GatedAdders, Plan, make_plan
from qnnc.compiler.dataflow.dsp_packing import DspGroup, WeightRange, plan_dsp_group


@dataclass(frozen=True)
class RowAddition:
    """Two rows of gated bits that are added as they are gated.

    Attributes:
        column: of the lowest bit.
        planes: for each of the two, its row's bits from `column` on; None is a zero.
        gates: for each, the bit of the other operand that gates it.
        last: the rows are the last element's; else they are those of the first and of the second
            half of the elements, an addition for each two of them.
    """

    column: int
    planes: tuple[tuple[int | None, ...], tuple[int | None, ...]]
    gates: tuple[int, int]
    last: bool


@dataclass(frozen=True)
class PlaneRows:
    """How scheme `planes` forms rows.

    Attributes:
        of_x: rows are of the activations' bits, gated by the weights', not the reverse.
        additions: of two rows each.
        singles: (row bit, gate bit) of the last element that are in no addition.
    """

    of_x: bool
    additions: tuple[RowAddition, ...]
    singles: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class DotProduct:
    """The arithmetic of a lane, or of the lanes that share DSPs, for SIMD products per cycle each.

    A lane's partial sum is `tree` (or, with `correction`, twice the tree plus the complement of
    the correction tree), in one or two numbers; the true sum of a step is partial + offset.

    Attributes:
        w_bits: bits of a weight as it is stored.
        rows: gated rows, if the scheme is `planes` and an operand has several bits.
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
    rows: PlaneRows | None = None
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
    def numbers(self) -> int:
        """Numbers that a partial sum comes in, 1 or 2."""
        return 2 if self.correction else self.tree.rows

    @property
    def latency(self) -> int:
        """Cycles from operands to partial sum."""
        if self.group:
            return self.group.latency
        if self.correction:
            return max(self.tree.latency, self.correction.latency)
        return self.tree.latency

    @property
    def luts(self) -> int:
        """LUTs of a module, accumulators not included."""
        if self.group:
            return self.group.luts
        luts = self.tree.luts
        if self.scheme == "ternary":
            luts += self.simd
        return luts

    @property
    def registers(self) -> int:
        """Flip-flops of a module, accumulators not included."""
        if self.group:
            return self.group.registers
        late = max(0, self.correction.latency - self.tree.latency) if self.correction else 0
        return self.tree.registers + late * self.tree.width

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
        simd: products per cycle.
        xnor: both operands are BINARY codes of -1 and +1, the result is a popcount.
    """
    x_bits, w_bits = int(x_type.bitwidth()), int(w_type.bitwidth())
    x_signed, w_signed = x_type.min() < 0, w_type.min() < 0 and not is_bipolar(w_type)
    x_worths, w_worths = plane_worths(x_bits, x_signed), plane_worths(w_bits, w_signed)
    correction: Plan | None = None
    rows: PlaneRows | None = None
    if xnor:
        return DotProduct(
            "xnor", simd, 1, False, 1, False, make_plan({0: simd}, {}, rows=2), None, 0
        )
    if is_ternary(x_type) and is_ternary(w_type):
        tree = make_plan({}, {0: simd, 1: simd}, rows=2)
        return DotProduct("ternary", simd, 2, True, 2, True, tree, None, -simd)
    offset = -sum(
        simd << (p + q) for p, x_sign in x_worths for q, w_sign in w_worths if x_sign != w_sign
    )
    if is_bipolar(w_type):
        correction, below = _sum_of_inputs(x_bits, x_signed, simd)
        # partial = 2*tree + (2**k - 1 - c), where c + below is the true sum of inputs
        offset = 2 * offset - ((1 << correction.width) - 1 + below)
    numbers = 1 if correction else 2
    if max(x_bits, w_bits) == 1:
        tree = make_plan({0: simd}, {}, rows=numbers)
    else:
        rows = _plane_rows(x_bits, w_bits, simd)
        gated = [
            GatedAdders(a.column, len(a.planes[0]), 1 if a.last else simd // 2)
            for a in rows.additions
        ]
        tree = make_plan(Counter(p + q for p, q in rows.singles), {}, gated, rows=numbers)
    return DotProduct(
        "planes", simd, x_bits, x_signed, w_bits, w_signed, tree, correction, offset, rows
    )


def _plane_rows(x_bits: int, w_bits: int, simd: int) -> PlaneRows:
    """Rows of two elements go together; if there is an odd one, its rows of neighbouring gates."""
    of_x = x_bits >= w_bits
    bits, gates = (x_bits, w_bits) if of_x else (w_bits, x_bits)
    row = tuple(range(bits))
    additions = []
    singles: list[tuple[int, int]] = []
    if simd >= 2:
        additions += [RowAddition(q, (row, row), (q, q), last=False) for q in range(gates)]
    if simd % 2:
        for q in range(0, gates - 1, 2):
            singles += [(0, q)]
            additions += [RowAddition(q + 1, ((*row[1:], None), row), (q, q + 1), last=True)]
        if gates % 2:
            singles += [(p, gates - 1) for p in row]
    return PlaneRows(of_x, tuple(additions), tuple(singles))


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
        group=group,
    )


def _sum_of_inputs(x_bits: int, x_signed: bool, simd: int) -> tuple[Plan, int]:
    """Tree of the sum of a word's activations, and what to add to its result."""
    below = -(simd << (x_bits - 1)) if x_signed else 0
    return make_plan({}, dict.fromkeys(range(x_bits), simd)), below
