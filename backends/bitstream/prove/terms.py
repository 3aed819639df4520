# SPDX-License-Identifier: Apache-2.0
"""Functions of nets in a form that is the same however a tool has written them down.

A LUT is its truth table over the inputs that it looks at, in a fixed order, so that permuted and
shared inputs, constants and buffers make no difference. Everything else is its kind with what it
reads.
"""

from __future__ import annotations

from collections.abc import Sequence

Term = int


class Terms:
    """Terms by number; equal terms have one number."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[object, ...], Term] = {}
        self.parts: list[tuple[object, ...]] = []
        self.zero, self.one = self.of("constant", 0), self.of("constant", 1)
        self.any: Term = -1
        """Where anything will do; no number of a setting."""

    def of(self, kind: str, *parts: object) -> Term:
        """A term of a kind with its parts, which are terms or plain data."""
        key = (kind, *parts)
        if key not in self._numbers:
            self._numbers[key] = len(self.parts)
            self.parts.append(key)
        return self._numbers[key]

    def net(self, bit: object) -> Term:
        """The value of a net that both sides know."""
        return self.of("net", bit)

    def constant(self, term: Term) -> int | None:
        """0 or 1 of a constant."""
        return 0 if term == self.zero else 1 if term == self.one else None

    def lut(self, table: int, inputs: Sequence[Term]) -> Term:
        """A function by its table: bit i is the value for inputs that spell i, the first lowest."""
        terms = sorted({t for t in inputs if self.constant(t) is None})
        place = {t: i for i, t in enumerate(terms)}
        reduced = 0
        for index in range(1 << len(terms)):
            at = 0
            for bit, term in enumerate(inputs):
                value = self.constant(term)
                at |= (index >> place[term] & 1 if value is None else value) << bit
            reduced |= (table >> at & 1) << index
        for bit in reversed(range(len(terms))):
            low, high = _halves(reduced, bit, len(terms))
            if low == high:
                reduced = low
                del terms[bit]
        if not terms:
            return self.one if reduced else self.zero
        if len(terms) == 1 and reduced == 0b10:
            return terms[0]
        return self.of("lut", reduced, *terms)

    def mux(self, select: Term, low: Term, high: Term) -> Term:
        """`high` where `select` is 1."""
        chosen = self.constant(select)
        if chosen is not None:
            return high if chosen else low
        return low if low == high else self.of("mux", select, low, high)

    def sum(self, propagate: Term, carry: Term) -> Term:
        """A carry chain's exclusive or."""
        if self.constant(propagate) is not None or self.constant(carry) is not None:
            return self.lut(0b0110, (propagate, carry))
        return self.of("sum", propagate, carry)

    def text(self, term: Term, depth: int = 2) -> str:
        """A term in short, for a report."""
        if term == self.any:
            return "anything"
        kind, *parts = self.parts[term]
        if kind == "element":
            return next(
                str(part[1]) for part in parts if isinstance(part, tuple) and "kind" in part
            )
        if kind == "constant":
            return str(parts[0])
        if kind == "net":
            return f"net {parts[0]}"
        if depth == 0:
            return f"{kind} …"
        shown = [
            self.text(part, depth - 1) if isinstance(part, int) and _is_term(kind, i) else str(part)
            for i, part in enumerate(parts)
        ]
        return f"{kind}({', '.join(shown)})"


def _is_term(kind: object, index: int) -> bool:
    return kind in ("mux", "sum") or (kind == "lut" and index > 0)


def _halves(table: int, bit: int, inputs: int) -> tuple[int, int]:
    """The table with one input at 0, and at 1."""
    low = high = 0
    at = 0
    for index in range(1 << inputs):
        if index >> bit & 1:
            continue
        low |= (table >> index & 1) << at
        high |= (table >> (index | 1 << bit) & 1) << at
        at += 1
    return low, high
