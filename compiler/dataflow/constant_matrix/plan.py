# SPDX-License-Identifier: Apache-2.0
"""The plan of a constant matrix: shared terms, then a compressor tree for each output.

`backends/rtl` writes it down with names, and the resource model counts it, so that estimate and
hardware cannot drift apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qnnc.compiler.dataflow.compressor import Plan, Row, make_plan
from qnnc.compiler.dataflow.constant_matrix.digits import signed_digits
from qnnc.compiler.dataflow.constant_matrix.sharing import PER_REGISTER, shared_terms
from qnnc.compiler.dataflow.constant_matrix.terms import Digit, Term, input_term

LAST_ROWS = 3
"""Operands of the last addition."""


@dataclass(frozen=True)
class OutputPlan:
    """One output: a heap of bits, a tree that leaves up to three rows, one last addition.

    Attributes:
        bits: of the sum, no more than its own range needs; wider ones are filled up by wiring.
        signed: its range reaches below zero.
        digits: the terms that it sums.
        constant: what is to be added to them, modulo 2**bits.
        in_heap: the constant's bits are in the tree, not in the last addition.
        tree: of the heap, without a register before it; None where there is nothing to sum.
        last_luts: LUTs of the last addition.
    """

    bits: int
    signed: bool
    digits: tuple[Digit, ...]
    constant: int
    in_heap: bool
    tree: Plan | None
    last_luts: int

    @property
    def latency(self) -> int:
        """Registers on the way through the tree."""
        return self.tree.latency if self.tree else 0

    @property
    def luts(self) -> int:
        """Of tree and last addition."""
        return self.last_luts + (self.tree.luts if self.tree else 0)


@dataclass(frozen=True)
class MatrixPlan:
    """A constant matrix.

    Attributes:
        terms: inputs, then shared terms, operands before what is made of them.
        outputs: in order.
    """

    terms: tuple[Term, ...]
    outputs: tuple[OutputPlan, ...]

    @cached_property
    def used(self) -> frozenset[int]:
        """Terms that an output or another used term reads."""
        found = {term for output in self.outputs for term, _, _ in output.digits}
        for number in reversed(range(len(self.terms))):
            if number in found:
                found.update(operand.term for operand in self.terms[number].operands)
        return frozenset(found)

    @cached_property
    def shared_stages(self) -> int:
        """Register stages before the trees."""
        ends = (self.terms[t].stage for output in self.outputs for t, _, _ in output.digits)
        return max(ends, default=0)

    @cached_property
    def last_needed(self) -> Mapping[int, int]:
        """For each term, the last stage at which it is read, up to which it is kept."""
        found = dict.fromkeys(
            (term for output in self.outputs for term, _, _ in output.digits), self.shared_stages
        )
        for number in sorted(self.used, reverse=True):
            for operand in self.terms[number].operands:
                at = self.terms[number].stage - 1
                found[operand.term] = max(found.get(operand.term, 0), at)
        return found

    @property
    def latency(self) -> int:
        """Cycles from the inputs to the operands of the last addition."""
        return self.shared_stages + self.tree_stages

    @cached_property
    def tree_stages(self) -> int:
        """Register stages of the deepest tree."""
        return max((output.latency for output in self.outputs), default=0)

    @cached_property
    def luts(self) -> int:
        """LUTs of all of it."""
        total = sum(output.luts for output in self.outputs)
        return total + len(self.parities) + sum(self.term_luts(t) for t in self.used)

    @cached_property
    def parities(self) -> Mapping[int, int]:
        """For each triple of inputs that is counted, the last stage at which its parity is read."""
        found: dict[int, int] = {}
        for number, last in self.last_needed.items():
            term = self.terms[number]
            if term.kind == "count":
                found[term.triple] = max(found.get(term.triple, 0), last)
        return found

    def term_luts(self, number: int) -> int:
        """LUTs of a shared term; the parity of a count belongs to its triple."""
        term = self.terms[number]
        if term.kind != "sum":
            return int(term.kind == "count")
        ends = [self.terms[o.term].bits + o.shift for o in term.operands]
        return max(ends) - max(o.shift for o in term.operands)

    @cached_property
    def registers(self) -> int:
        """Flip-flops of all of it, the output buffer left out."""
        kept = sum(self.parities.values())
        for number, last in self.last_needed.items():
            term = self.terms[number]
            bits = 1 if term.kind == "count" else term.bits
            kept += bits * (last - term.stage + (term.stage > 0))
        trees = sum(output.tree.registers for output in self.outputs if output.tree)
        late = sum(
            (self.tree_stages - output.latency) * output.bits
            for output in self.outputs
            if output.tree is not None
        )
        return kept + trees + late


def plan_matrix(
    weights: NDArray[np.int64],
    constants: NDArray[np.int64],
    *,
    x_bits: int,
    x_signed: bool,
    low: ArrayLike,
    high: ArrayLike,
) -> MatrixPlan:
    """Plan y = x W + constants.

    Args:
        weights: W, [inputs, outputs].
        constants: [outputs].
        x_bits: bits of an input.
        x_signed: inputs are two's complement.
        low: least value of the inputs, one for all or one for each.
        high: greatest value, likewise.
    """
    inputs = [input_term(x_bits, x_signed) for _ in range(len(weights))]
    terms, sums = shared_terms(inputs, signed_digits(weights))
    x = np.broadcast_to(low, len(weights)), np.broadcast_to(high, len(weights))
    ends = np.stack([x[0][:, None] * weights, x[1][:, None] * weights])
    least = ends.min(axis=0).sum(axis=0) + constants
    most = ends.max(axis=0).sum(axis=0) + constants
    outputs = tuple(
        _plan_output(terms, digits, int(constant), int(first), int(last))
        for digits, constant, first, last in zip(sums, constants, least, most, strict=True)
    )
    return MatrixPlan(tuple(terms), outputs)


def _plan_output(
    terms: Sequence[Term], digits: Sequence[Digit], constant: int, low: int, high: int
) -> OutputPlan:
    bits = max(high.bit_length(), (~low).bit_length()) + 1 if low < 0 else max(1, high.bit_length())
    heap = [0] * bits  # by column
    for number, shift, sign in digits:
        term = terms[number]
        # -v = ~v - (2**bits - 1), and v = combination + offset
        top = (1 << term.bits) - 1
        constant += (-term.offset if sign > 0 else term.offset - top) << shift
        for column in range(shift, min(shift + term.bits, bits)):
            heap[column] += 1
    constant %= 1 << bits
    heights = {column: height for column, height in enumerate(heap) if height}
    found = [
        OutputPlan(
            bits,
            low < 0,
            tuple(digits),
            constant,
            in_heap,
            *_summed(heights, constant_bits(constant), bits, in_heap),
        )
        for in_heap in (False, True)
    ]
    return min(found, key=_cost)


def _cost(output: OutputPlan) -> tuple[float, bool]:
    registers = output.tree.registers if output.tree else 0
    return output.luts + PER_REGISTER * registers, output.in_heap


def constant_bits(constant: int) -> list[int]:
    """Columns in which a constant has ones."""
    return [c for c in range(constant.bit_length()) if constant >> c & 1]


def _summed(
    heap: Mapping[int, int], ones: Sequence[int], bits: int, in_heap: bool
) -> tuple[Plan | None, int]:
    """The tree of a heap and a constant, and the LUTs of the last addition."""
    if not heap:
        return None, 0
    heights = Counter(heap)
    if in_heap:
        heights.update(ones)
    rows = LAST_ROWS if in_heap or not ones else LAST_ROWS - 1
    tree = make_plan({}, heights, width=bits, rows=rows, registered=False)
    left = list(tree.left)
    if ones and not in_heap:
        left.append(Row(frozenset(ones)))
    return tree, _last_luts(left)


def _last_luts(rows: Sequence[Row]) -> int:
    """LUTs of the last addition: columns from the second row's lowest bit to the highest bit."""
    if len(rows) < 2:
        return 0
    low = sorted(row.low for row in rows)[1]
    return max(row.high for row in rows) - low + 1
