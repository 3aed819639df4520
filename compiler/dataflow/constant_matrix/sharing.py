# SPDX-License-Identifier: Apache-2.0
"""Which sums of two terms, and counts of three bits, are worth making once for several outputs.

A heap of bits is summed at about half a LUT for every bit that goes away (`compressor`), so that
what is shared must save its own LUTs that way: a pair of terms is taken while

    uses * bits saved / 2 > LUTs of its sum

and always the pair that gains most. Pairs are looked for among the terms of a block of inputs, so
that the work grows with the number of weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qnnc.compiler.dataflow.constant_matrix.terms import (
    Digit,
    Operand,
    Term,
    count_term,
    sum_term,
)

BLOCK = 48
"""Terms among which pairs are looked for."""
DEEPEST = 3
"""Register stages of shared terms."""
PER_BIT = 0.5
"""LUTs that a bit less in an output's heap saves."""
PER_REGISTER = 0.05
"""LUTs that are as dear as a flip-flop: half as many there are, at a tenth of the price."""
WINDOW = 96
"""Inputs among which the other two of a triple are looked for."""

Digits = NDArray[np.int8]


def shared_terms(inputs: Sequence[Term], digits: Digits) -> tuple[list[Term], list[list[Digit]]]:
    """Terms, the inputs first, and the sums of them that the outputs are.

    Args:
        inputs: one per row of the matrix.
        digits: [inputs, outputs, places], -1, 0 or +1.
    """
    terms = list(inputs)
    sums: list[list[Digit]] = [[] for _ in range(digits.shape[1])]
    live = np.flatnonzero(digits.any(axis=(1, 2)))
    columns = {int(i): digits[i] for i in live}
    if inputs and inputs[0].bits == 1:
        columns = _count_triples(terms, columns)
    names = list(columns)
    for first in range(0, len(names), BLOCK):
        block = names[first : first + BLOCK]
        for term, found in _Block(terms, {name: columns[name] for name in block}).share().items():
            places = np.argwhere(found)
            signs = found[tuple(places.T)]
            for (output, place), sign in zip(places.tolist(), signs.tolist(), strict=True):
                sums[output].append((term, place, sign))
    return terms, sums


# --- counts of three inputs of one bit -----------------------------------------------------------


def _count_triples(terms: list[Term], columns: dict[int, Digits]) -> dict[int, Digits]:
    """Group inputs of one bit by threes and count each pattern of signs once."""
    left = {name: array.copy() for name, array in columns.items()}
    made: dict[int, Digits] = {}
    for number, triple in enumerate(_triples(columns)):
        i, j, k = (left[name] for name in triple)
        whole = (i != 0) & (j != 0) & (k != 0)
        signs = np.where(whole, 1 + (i * j < 0) + 2 * (i * k < 0), 0)
        uses = np.bincount(signs.reshape(-1), minlength=5)[1:]
        worth = [int(p) for p in np.flatnonzero(uses * PER_BIT > 1)]
        if sum(uses[p] * PER_BIT - 1 for p in worth) <= 1:  # the parity is one more
            continue
        for pattern in worth:
            operands = [
                Operand(name, 0, inverted)
                for name, inverted in zip(
                    triple, (False, bool(pattern & 1), bool(pattern & 2)), strict=True
                )
            ]
            here = signs == pattern + 1
            made[len(terms)] = np.where(here, i, 0).astype(np.int8)
            terms.append(count_term(terms, operands, number))
            for name in triple:
                left[name][here] = 0
    # neighbours stay neighbours: pairs are looked for among them
    return {name: array for name, array in (made | left).items() if array.any()}


def _triples(columns: dict[int, Digits]) -> list[tuple[int, int, int]]:
    """Inputs that many outputs have in common, by threes, each in one at most."""
    names = list(columns)
    if len(names) < 3:
        return []
    used = np.stack([columns[name].reshape(-1) != 0 for name in names]).astype(np.float32)
    free = list(range(len(names)))
    found = []
    while len(free) >= 3:
        first, window = free[0], np.array(free[1 : WINDOW + 1])
        common = used[window] * used[first]
        second = int(np.argmax(common.sum(axis=1)))
        three = common @ common[second]
        three[second] = -1
        third = int(np.argmax(three))
        chosen = (first, int(window[second]), int(window[third]))
        for index in chosen:
            free.remove(index)
        if three[third] > 0:
            i, j, k = sorted(names[index] for index in chosen)
            found.append((i, j, k))
    return found


# --- sums of two terms ---------------------------------------------------------------------------


@dataclass
class _Pair:
    """Terms a and b, b shifted by `shift` against a, with the same sign or not."""

    a: int
    b: int
    shift: int
    same: bool


class _Block:
    """The greedy search in one block of terms."""

    def __init__(self, terms: list[Term], columns: dict[int, Digits]) -> None:
        self.terms = terms
        self.names = list(columns)
        first = next(iter(columns.values()))
        self.outputs, self.places = first.shape
        self.reach = self.places - 1
        room = 4 * len(columns) + 16
        self.digits = np.zeros((room, self.outputs, self.places), dtype=np.int8)
        for index, name in enumerate(self.names):
            self.digits[index] = columns[name]
        width = 2 * self.reach + 1
        # gain[same, shift, a, b]
        self.gain = np.full((2, width, room, room), -np.inf, dtype=np.float32)
        self.low = np.zeros(room, dtype=np.int64)
        self.high = np.zeros(room, dtype=np.int64)
        self.bits = np.zeros(room, dtype=np.int64)
        self.stage = np.zeros(room, dtype=np.int64)
        for index in range(len(self.names)):
            self._note(index)
        self._refresh(list(range(len(self.names))))

    def share(self) -> dict[int, Digits]:
        """Take pairs while they gain; the digits of every term that is left in a sum."""
        room = len(self.digits)
        while len(self.names) < room:
            best = int(np.argmax(self.gain))
            same, shift, a, b = (int(n) for n in np.unravel_index(best, self.gain.shape))
            if self.gain[same, shift, a, b] <= 0:
                break
            self._take(_Pair(a, b, shift - self.reach, bool(same)))
        return {
            name: self.digits[index]
            for index, name in enumerate(self.names)
            if self.digits[index].any()
        }

    def _note(self, index: int) -> None:
        term = self.terms[self.names[index]]
        self.low[index], self.high[index] = term.low, term.high
        self.bits[index], self.stage[index] = term.bits, term.stage

    def _take(self, pair: _Pair) -> None:
        uses = self._uses(pair)
        term = self._term(pair)
        gain = len(uses) * PER_BIT * self._saved(pair, term) - self._price(pair, term)
        if gain <= 0:  # uses that overlap were counted twice
            self.gain[int(pair.same), pair.shift + self.reach, pair.a, pair.b] = -np.inf
            return
        new = len(self.names)
        self.names.append(len(self.terms))
        self.terms.append(term)
        self._note(new)
        output, place = uses.T
        signs = self.digits[pair.a, output, place]
        self.digits[pair.a, output, place] = 0
        self.digits[pair.b, output, place + pair.shift] = 0
        self.digits[new, output, place + min(0, pair.shift)] = signs
        self._refresh([pair.a, pair.b, new])

    def _uses(self, pair: _Pair) -> NDArray[np.int64]:
        """[uses, 2], output and place of a of every use, none of which overlaps another."""
        a, b = self._moved(self.digits[pair.a], 0), self._moved(self.digits[pair.b], pair.shift)
        product = a * b
        found = np.argwhere(product == (1 if pair.same else -1))
        if pair.a != pair.b:
            return found
        uses: list[tuple[int, int]] = []
        taken: set[tuple[int, int]] = set()
        for output, place in found.tolist():
            if {(output, place), (output, place + pair.shift)} & taken:
                continue
            taken |= {(output, place), (output, place + pair.shift)}
            uses.append((output, place))
        return np.array(uses, dtype=np.int64).reshape(-1, 2)

    def _moved(self, digits: Digits, shift: int) -> Digits:
        """digits[..., place + shift] at each place."""
        result = np.zeros_like(digits)
        if shift >= 0:
            result[..., : self.places - shift] = digits[..., shift:]
        else:
            result[..., -shift:] = digits[..., :shift]
        return result

    def _term(self, pair: _Pair) -> Term:
        first = Operand(self.names[pair.a], max(0, -pair.shift), False)
        second = Operand(self.names[pair.b], max(0, pair.shift), not pair.same)
        return sum_term(self.terms, first, second)

    def _saved(self, pair: _Pair, term: Term) -> int:
        return int(self.bits[pair.a] + self.bits[pair.b]) - term.bits

    def _price(self, pair: _Pair, term: Term) -> float:
        a, b = int(self.bits[pair.a]), int(self.bits[pair.b])
        top = max(a + max(0, -pair.shift), b + max(0, pair.shift))
        return top - abs(pair.shift) + PER_REGISTER * term.bits

    def _refresh(self, changed: list[int]) -> None:
        """Gains of all pairs with one of the changed terms, which are written with the earlier term
        first: the later one may be complemented."""
        count, rows = len(self.names), np.array(changed)
        index, shift = np.arange(count), np.arange(-self.reach, self.reach + 1)[:, None, None]
        a_shift, b_shift = np.maximum(0, -shift), np.maximum(0, shift)
        plain, bits = self.high[:count], self.bits[:count]
        complement = (1 << bits) - 1 - self.low[:count]
        other = np.array([complement, plain])[:, None]  # by whether the signs are the same
        earlier = rows[:, None] <= index
        high = np.where(
            earlier,
            (plain[rows][:, None] << a_shift) + (other[:, :, None] << b_shift),
            (other[..., rows][..., None] << a_shift) + (plain << b_shift),
        )
        sum_bits = np.frexp(high.astype(np.float64))[1]
        a_bits = bits[rows][:, None]
        luts = np.maximum(a_bits + a_shift, bits + b_shift) - np.abs(shift)
        gain = self._in_common(rows, count) * PER_BIT * (a_bits + bits - sum_bits)
        gain += -luts - PER_REGISTER * sum_bits
        stage = np.maximum(self.stage[rows][:, None], self.stage[:count])
        # of a term with itself, one of the two shifts is enough
        gain[:, (stage >= DEEPEST) | ((shift <= 0) & (rows[:, None] == index))] = -np.inf
        straight, back = self.gain[..., :count], self.gain[:, ::-1, :count]
        straight[:, :, rows] = np.where(earlier, gain, straight[:, :, rows])
        back[..., rows] = np.where(earlier.T, back[..., rows], gain.swapaxes(2, 3))

    def _in_common(self, rows: NDArray[np.int64], count: int) -> NDArray[np.float32]:
        """Outputs that two terms have in common, [same sign, shift, rows, terms]."""
        moved = np.empty((2 * self.reach + 1, len(rows), self.outputs, self.places), np.float32)
        for shift in range(-self.reach, self.reach + 1):
            # some[a, place] meets digits[b, place + shift]
            moved[shift + self.reach] = self._moved(self.digits[rows], -shift)
        some = moved.reshape(*moved.shape[:2], -1)
        every = self.digits[:count].reshape(count, -1).astype(np.float32)
        balance, both = some @ every.T, np.abs(some) @ np.abs(every).T
        doubled = np.array([both - balance, both + balance], dtype=np.float32)
        return doubled * np.float32(0.5)
