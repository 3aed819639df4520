# SPDX-License-Identifier: Apache-2.0
"""The affine map in front of factored thresholds: widths, multiplier, clipping.

A lane computes z = (a * x + b) >> shift in one DSP48E1, in two, or in a compressor tree of LUTs,
and holds z within what the thresholds or the output can tell apart.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray
from qonnx.core.datatype import BaseDataType

from qnnc.compiler.dataflow.compressor import Plan, make_plan
from qnnc.compiler.dataflow.cost import bits_for, block_rom, logic_rom
from qnnc.compiler.dataflow.dot_product import plane_worths
from qnnc.compiler.factoring import Factored
from qnnc.compiler.factoring.hashing import HashTable, address_bits, hash_tables
from qnnc.compiler.ir.facts import IntArray
from qnnc.compiler.resources import Resources

DSP_A, DSP_B, DSP_PAIR = 25, 18, 35
"""Bits of a DSP48E1's operands, signed, and of the second one where two blocks share it."""
MAX_TREE = 640
"""Bit products from which a multiplier is not made of LUTs."""


def signed_bits(low: int, high: int) -> int:
    """Bits of a two's complement number for low..high."""
    return max((-low - 1).bit_length() if low < 0 else 0, high.bit_length() if high > 0 else 0) + 1


@dataclass(frozen=True, eq=False)
class Affine:
    """The hardware of a lane in front of the search.

    Attributes:
        form: what it computes.
        x_type: type of x.
        out_bits: bits of the node's output.
        channels: of the node; rows of `form` are these, or one for all.
    """

    form: Factored
    x_type: BaseDataType
    out_bits: int
    channels: int

    @property
    def x_bits(self) -> int:
        """Bits of x as a signed number."""
        return int(self.x_type.bitwidth()) + (0 if self.x_type.min() < 0 else 1)

    @cached_property
    def slope_signed(self) -> bool:
        """Some row falls."""
        return bool(self.form.slope.min() < 0)

    @cached_property
    def slope_bits(self) -> int:
        """Bits of a as it is stored."""
        low, high = int(self.form.slope.min()), int(self.form.slope.max())
        return signed_bits(low, high) if self.slope_signed else max(1, high.bit_length())

    @property
    def factor_bits(self) -> int:
        """Bits of a as a signed number."""
        return self.slope_bits + (0 if self.slope_signed else 1)

    @cached_property
    def intercept_bits(self) -> int:
        """Bits of b, signed, without the zeros at its end."""
        zeros = self.form.intercept_zeros
        return signed_bits(
            int(self.form.intercept.min()) >> zeros, int(self.form.intercept.max()) >> zeros
        )

    @cached_property
    def sum_bits(self) -> int:
        """Bits of a * x + b, signed."""
        return signed_bits(self.form.z_low, self.form.z_high) + self.form.shift

    # --- clipping ---------------------------------------------------------------------------

    @cached_property
    def clip_range(self) -> tuple[int, int]:
        """What z is held within: codes, or, before a search, 0 and ones up to the highest
        threshold's top bit."""
        if self.form.style == "requant":
            return self.form.low_code, self.form.high_code
        return 0, (1 << int(self.form.thresholds[-1]).bit_length()) - 1

    @property
    def clip_bits(self) -> int:
        """Bits of z after clipping."""
        return self.out_bits if self.form.style == "requant" else self.clip_range[1].bit_length()

    @property
    def clip_checks(self) -> tuple[bool, bool]:
        """z may leave the range below, and above."""
        low, high = self.clip_range
        return self.form.z_low < low or self.form.even, self.form.z_high > high

    def clip_luts(self) -> float:
        """LUTs of `qnnc_clip`."""
        luts = math.ceil(self.form.shift / 5) + 1 if self.form.even and self.form.shift else 0.0
        checks = self.clip_checks
        low, high = self.clip_range
        if any(checks):
            # with one limit, the registers' resets and sets do the rest
            above = max(self.sum_bits - self.form.shift - self.clip_bits + 1, 0)
            luts += math.ceil(above / 5) + (self.clip_bits if all(checks) else 1)
            if low not in (0, -(1 << (self.clip_bits - 1))):
                luts += math.ceil(self.clip_bits / 5)
            if (high + 1) & high:
                luts += math.ceil(self.clip_bits / 5)
        return luts

    # --- multiplier -------------------------------------------------------------------------

    @cached_property
    def dsp_blocks(self) -> int | None:
        """DSP48E1 of a lane; None where two do not do."""
        small, large = sorted((self.x_bits, self.factor_bits))
        if self.sum_bits <= 48 and small <= DSP_B and large <= DSP_A:
            return 1
        return 2 if small <= DSP_A and large <= DSP_PAIR and self.sum_bits <= 63 else None

    @property
    def dsp_wide(self) -> bool:
        """b is too wide for a DSP block to add it."""
        return self.dsp_blocks == 2 and self.intercept_bits + self.form.intercept_zeros > 47

    @cached_property
    def tree_fits(self) -> bool:
        """The multiplier can be made of LUTs."""
        return self.x_bits * self.slope_bits <= MAX_TREE

    @property
    def _operands(self) -> tuple[int, bool, int, bool]:
        return self.x_type.bitwidth(), self.x_signed, self.slope_bits, self.slope_signed

    @cached_property
    def tree_offset(self) -> int:
        """What the complemented bits of the tree leave to be added to b."""
        return _products(*self._operands)[1]

    @property
    def x_signed(self) -> bool:
        """Inputs can be negative."""
        return bool(self.x_type.min() < 0)

    @cached_property
    def tree_zeros(self) -> int:
        """Zero bits at the end of b where it goes into the tree."""
        offset = self.tree_offset
        own = (offset & -offset).bit_length() - 1 if offset else self.form.intercept_zeros
        return min(self.form.intercept_zeros, own, self.sum_bits - 1)

    @cached_property
    def tree(self) -> Plan:
        """The compressor tree of a lane whose a and b come from a memory."""
        pairs, _ = _products(*self._operands)
        bits = Counter(range(self.tree_zeros, self.sum_bits))
        return make_plan(_below(pairs, self.sum_bits), bits, width=self.sum_bits)

    def trees(self, lanes: int) -> list[Plan]:
        """The compressor tree of each lane: its own where it has a single row, whose parameters
        are constants then, else the same for all."""
        if not self.constant(lanes):
            return [self.tree]
        return [self._constant_tree(row) for row in range(self.form.rows)]

    def _constant_tree(self, row: int) -> Plan:
        if row not in self._constant_trees:
            self._constant_trees[row] = make_plan({}, constant_heap(self, row), width=self.sum_bits)
        return self._constant_trees[row]

    @cached_property
    def _constant_trees(self) -> dict[int, Plan]:
        return {}

    def parameter_bits(self, res: str) -> int:
        """Bits of a row of the memory: a below b."""
        if res == "dsp":
            return self.slope_bits + self.intercept_bits
        return self.slope_bits + self.sum_bits - self.tree_zeros

    def multiplier_latency(self, lanes: int, res: str) -> int:
        """Cycles from parameters to the sum."""
        if res == "dsp":
            return 2 + (self.dsp_blocks or 0) + self.dsp_wide
        return max(tree.latency for tree in self.trees(lanes))

    def latency(self, lanes: int, res: str) -> int:
        """Cycles from x to the search, or to the codes where there is none: parameters, product,
        clipping, and one more where exceptions are added."""
        patched = 1 if len(self.form.exceptions) else 0
        return 1 + self.multiplier_latency(lanes, res) + 2 + patched

    # --- rows and lanes ---------------------------------------------------------------------

    def folds(self, lanes: int) -> int:
        """Rows that a lane goes through."""
        return 1 if self.form.rows == 1 else self.channels // lanes

    def constant(self, lanes: int) -> bool:
        """Every lane has one row, so that its parameters are constants."""
        return self.folds(lanes) == 1

    def parameters(self, lanes: int, res: str) -> IntArray:
        """Words of the parameters' memory, [folds, lanes, 2]: a, and b as it is stored."""
        b = self.form.intercept >> self.form.intercept_zeros
        if res == "lut":
            b = ((self.form.intercept + self.tree_offset) >> self.tree_zeros) & (
                (1 << (self.sum_bits - self.tree_zeros)) - 1
            )
        words = np.stack([self.form.slope, b], axis=1)
        if self.form.rows == 1:
            words = np.repeat(words, lanes, axis=0)
        return words.reshape(self.folds(lanes), lanes, 2)

    # --- exceptions -------------------------------------------------------------------------

    @property
    def key_bits(self) -> int:
        """Bits of x and of a row's number in its lane, at their most."""
        return int(self.x_type.bitwidth()) + bits_for(self.form.rows)

    def exception_words(self, lanes: int) -> int:
        """Words of either way of a lane's table of exceptions, 0 where there is none."""
        if not len(self.form.exceptions):
            return 0
        return 1 << self.exception_tables(lanes)[0].address_bits

    def exception_tables(self, lanes: int) -> list[HashTable]:
        """The table of exceptions of each lane, of one for all where all share their row."""
        if lanes not in self._exception_tables:
            row, x, value = self.form.exceptions.T
            x_bits = self.x_type.bitwidth()
            count = lanes if self.form.rows > 1 else 1
            keys = (row // count << x_bits) | (x & ((1 << x_bits) - 1))
            parts = [(keys[mine], value[mine]) for mine in (row % count == n for n in range(count))]
            bits = address_bits(max(part[0].size for part in parts), self.key_bits)
            self._exception_tables[lanes] = hash_tables(parts, self.key_bits, bits, self.value_bits)
        return self._exception_tables[lanes]

    @cached_property
    def _exception_tables(self) -> dict[int, list[HashTable]]:
        return {}

    @property
    def value_bits(self) -> int:
        """Bits of what an exception adds, signed."""
        return int(np.abs(self.form.exceptions[:, 2]).max(initial=1)).bit_length() + 1

    # --- cost -------------------------------------------------------------------------------

    def resources(self, lanes: int, res: str, in_block: Callable[[int], bool]) -> Resources:
        """All lanes but for the search.

        Args:
            lanes: of the node.
            res: "lut" or "dsp" multipliers.
            in_block: whether a table of so many words is in block RAM.
        """
        total = Resources(LUT=self.clip_luts(), FF=self.x_bits + 2 * self.clip_bits + 2)
        if res == "dsp":
            blocks = self.dsp_blocks or 0
            registers = self.intercept_bits + (17 if blocks == 2 else 0)
            if self.dsp_wide:
                high = self.intercept_bits + self.form.intercept_zeros - 17
                total += Resources(LUT=high, FF=3 * high + self.x_bits + self.factor_bits)
            total += Resources(DSP=blocks, FF=registers)
        total = total.scaled(lanes)
        if res == "lut":
            trees = self.trees(lanes)
            each = Resources(sum(_tree_luts(t) for t in trees), sum(t.registers for t in trees))
            if self.constant(lanes):  # what is constant is optimised away
                each = Resources(each.LUT - 0.4 * self._constant_ones(), 0.6 * each.FF)
            total += each.scaled(lanes / len(trees))
        total += self._memory(lanes, res, in_block)
        if len(self.form.exceptions):
            total += self._exceptions(lanes, in_block)
        return total

    def _constant_ones(self) -> int:
        """Constant bits of the trees of all rows, which simplify what they go into."""
        rows = range(self.form.rows)
        return sum(constant_terms(self, row)[1].bit_count() for row in rows)

    def _memory(self, lanes: int, res: str, in_block: Callable[[int], bool]) -> Resources:
        """Memory of the parameters."""
        folds = self.folds(lanes)
        if folds == 1:
            return Resources()
        width = self.parameter_bits(res)
        if in_block(folds):
            return Resources(BRAM18=block_rom(width * lanes, folds))
        words = self.parameters(lanes, res)
        widths = (self.slope_bits, width - self.slope_bits)
        if folds <= 64:  # one LUT a bit, and none for a bit that another equals
            columns = [_columns(words[:, :, i], bits) for i, bits in enumerate(widths)]
            kinds = np.unique(np.concatenate(columns))
            luts = float(((kinds != 0) & (kinds != np.uint64((1 << folds) - 1))).sum())
            luts *= 0.4 if folds <= 8 else 1.0  # few inputs: registers' resets do much of it
        else:
            luts = sum(
                logic_rom(words[:, lane, i], bits)
                for lane in range(lanes)
                for i, bits in enumerate(widths)
            )
        return Resources(LUT=luts, FF=width * lanes)

    def _exceptions(self, lanes: int, in_block: Callable[[int], bool]) -> Resources:
        depth = self.exception_words(lanes)
        bits = depth.bit_length() - 1
        tag = self.key_bits - bits
        width = tag + self.value_bits
        each = Resources(
            LUT=2 * bits + 2 * math.ceil(tag / 2.5) + self.value_bits + self.out_bits,
            FF=2 * bits + 2 * tag + 8 * self.value_bits + self.out_bits,
        )
        if in_block(depth):
            return (each + Resources(BRAM18=2 * block_rom(width, depth))).scaled(lanes)
        tables = self.exception_tables(lanes)
        luts = sum(logic_rom(way, width) for table in tables for way in table.entries)
        memory = Resources(luts * lanes / len(tables), 2 * width * lanes)
        return each.scaled(lanes) + memory


def _tree_luts(plan: Plan) -> float:
    """LUTs of a tree whose rows have gaps: a carry chain takes one only where two bits meet, and a
    gated pair on its own is a register's reset."""
    luts = plan.luts - sum(1 for pairs in plan.pairs if pairs % 3 == 1)
    for stage in plan.adder_stages:
        for addition in stage.additions:
            rows = [stage.rows[i].columns for i in addition.rows]
            span = range(addition.low, addition.top + 1)
            luts -= sum(1 for column in span if sum(column in row for row in rows) < 2)
    return luts


def _columns(words: IntArray, bits: int) -> NDArray[np.uint64]:
    """Every bit of every word of up to 64 rows [rows, n] as a number of rows bits."""
    planes = (words[:, :, None] >> np.arange(bits)) & 1
    worth = np.uint64(1) << np.arange(len(words), dtype=np.uint64)
    total: NDArray[np.uint64] = (planes.astype(np.uint64) * worth[:, None, None]).sum(axis=0)
    return total.reshape(-1)


@lru_cache(maxsize=1024)
def _products(
    x_bits: int, x_signed: bool, slope_bits: int, slope_signed: bool
) -> tuple[Counter[int], int]:
    """Bit products per column, and the constant for complementing those of negative worth."""
    pairs: Counter[int] = Counter()
    offset = 0
    for p, x_sign in plane_worths(x_bits, x_signed):
        for q, a_sign in plane_worths(slope_bits, slope_signed):
            pairs[p + q] += 1
            offset -= 1 << (p + q) if x_sign != a_sign else 0
    return pairs, offset


def _below(columns: Counter[int], width: int) -> Counter[int]:
    return Counter({c: n for c, n in columns.items() if c < width})


def signed_digits(value: int) -> list[tuple[int, int]]:
    """(exponent, digit) of the shortest sum of +-2**exponent (non-adjacent form)."""
    digits = []
    exponent, left = 0, value
    while left:
        if left & 1:
            digit = 2 - (left & 3)
            digits.append((exponent, digit))
            left -= digit
        left >>= 1
        exponent += 1
    return digits


def constant_terms(affine: Affine, row: int) -> tuple[list[tuple[int, int, bool]], int]:
    """x times a constant as bits of x: (column, bit of x, complemented), and the constant to add
    for those complemented, b included."""
    terms = []
    constant = int(affine.form.intercept[row])
    for q, digit in signed_digits(int(affine.form.slope[row])):
        for p, sign in plane_worths(affine.x_type.bitwidth(), affine.x_signed):
            negative = digit * sign < 0
            terms.append((p + q, p, negative))
            constant -= 1 << (p + q) if negative else 0
    return [t for t in terms if t[0] < affine.sum_bits], constant % (1 << affine.sum_bits)


def constant_heap(affine: Affine, row: int) -> Counter[int]:
    """Bits per column of a lane of one row, the constant's included."""
    terms, constant = constant_terms(affine, row)
    heap = Counter(column for column, _, _ in terms)
    heap.update(c for c in range(affine.sum_bits) if constant >> c & 1)
    return heap
