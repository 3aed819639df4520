# SPDX-License-Identifier: Apache-2.0
"""What the outputs of a constant matrix are sums of: inputs, counts of bits, sums that are shared.

Every term is a number without sign. Where it stands for a linear combination that may be negative,
a constant is added: `value = combination + offset`. Negated operands enter as their complement,
2**bits - 1 - value. All of these constants are collected for each output and added once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Digit = tuple[int, int, int]
"""A term in a sum: its number, its shift, +1 or -1."""


@dataclass(frozen=True)
class Operand:
    """A term as it enters another: shifted left, complemented or not."""

    term: int
    shift: int
    inverted: bool


@dataclass(frozen=True)
class Term:
    """A number that outputs are sums of.

    Attributes:
        kind: an input; a count of three inputs of one bit; a sum of two terms.
        bits: of the number.
        low: its least value.
        high: its greatest value.
        offset: what it has beyond the combination of inputs that it stands for.
        stage: register stage after which it is there; 0 for inputs.
        operands: of a count or a sum.
        triple: of a count, the number of its three inputs; counts of the same three share a bit.
    """

    kind: Literal["input", "count", "sum"]
    bits: int
    low: int
    high: int
    offset: int
    stage: int
    operands: tuple[Operand, ...] = ()
    triple: int = -1


def input_term(bits: int, signed: bool) -> Term:
    """An input of `bits` bits; the highest bit of a signed one is inverted, so that it counts
    from zero."""
    return Term("input", bits, 0, (1 << bits) - 1, (1 << (bits - 1)) if signed else 0, 0)


def complemented(term: Term) -> tuple[int, int, int]:
    """Least value, greatest value and offset of a term's complement, for minus its combination."""
    top = (1 << term.bits) - 1
    return top - term.high, top - term.low, top - term.offset


def count_term(terms: Sequence[Term], operands: Sequence[Operand], triple: int) -> Term:
    """The count of three inputs of one bit, some of them inverted."""
    stage = 1 + max(terms[o.term].stage for o in operands)
    offset = sum(
        complemented(terms[o.term])[2] if o.inverted else terms[o.term].offset for o in operands
    )
    return Term("count", 2, 0, 3, offset, stage, tuple(operands), triple)


def sum_term(terms: Sequence[Term], first: Operand, second: Operand) -> Term:
    """The sum of two terms, one of which is not shifted."""
    low = high = offset = 0
    for operand in (first, second):
        term = terms[operand.term]
        ends = complemented(term) if operand.inverted else (term.low, term.high, term.offset)
        low += ends[0] << operand.shift
        high += ends[1] << operand.shift
        offset += ends[2] << operand.shift
    stage = 1 + max(terms[first.term].stage, terms[second.term].stage)
    return Term("sum", high.bit_length(), low, high, offset, stage, (first, second))
