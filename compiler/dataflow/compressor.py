# SPDX-License-Identifier: Apache-2.0
"""Compressor trees: summing a heap of weighted bits in six-input LUTs.

A dot product of narrow integers is a heap of bits, each worth a power of two. The plan here
turns such a heap into one number in pipelined stages, a register behind every LUT:

1. pairs (an activation bit with a weight bit) are gated and counted three at a time: six
   inputs, a two-bit count, two LUTs;
2. while a column holds six bits or more, 6:3 counters (three LUTs, three bits fewer);
3. what is left, five rows at most, goes through two-operand carry chains.

Every step costs about one LUT for each bit it removes, so that nothing is gained by a cleverer
order. The plan speaks of heights only; `backends/rtl` replays it with names, and the resource
model counts it, so that estimate and hardware cannot drift apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

Heights = tuple[int, ...]
"""Number of bits in each column, column 0 (worth 1) first."""


@dataclass(frozen=True)
class Row:
    """One operand of the final additions: the columns in which it has a bit."""

    columns: frozenset[int]

    @property
    def low(self) -> int:
        return min(self.columns)

    @property
    def high(self) -> int:
        return max(self.columns)


@dataclass(frozen=True)
class Addition:
    """Rows `left` and `right` of the stage before become one; columns low..top are the sum."""

    left: int
    right: int
    low: int
    top: int


@dataclass(frozen=True)
class AdderStage:
    """Additions of row pairs; a row left over passes through a register."""

    rows: tuple[Row, ...]
    additions: tuple[Addition, ...]
    passed: tuple[int, ...]


@dataclass(frozen=True)
class Plan:
    """How a heap is summed.

    Attributes:
        width: bits of the result, modulo 2**width.
        pairs: gated pairs a column, counted in the first stage.
        bits: plain bits a column, registered in the first stage.
        registered: there is a register behind the first stage.
        counter_stages: for each later stage, 6:3 counters a column.
        adder_stages: the final carry chains.
        luts: six-input LUTs of the whole tree.
        registers: flip-flops of the whole tree.
    """

    width: int
    pairs: Heights
    bits: Heights
    registered: bool
    counter_stages: tuple[Heights, ...]
    adder_stages: tuple[AdderStage, ...]
    luts: int
    registers: int

    @property
    def latency(self) -> int:
        """Cycles from inputs to result."""
        return int(self.registered) + len(self.counter_stages) + len(self.adder_stages)


def count_width(terms: int) -> int:
    """Bits of a count of up to `terms` ones."""
    return terms.bit_length()


def pair_groups(pairs: int) -> list[int]:
    """Sizes of the groups in which a column's pairs are counted: threes, then the rest."""
    return [3] * (pairs // 3) + ([pairs % 3] if pairs % 3 else [])


def _padded(heights: Mapping[int, int], width: int) -> Heights:
    return tuple(heights.get(column, 0) for column in range(width))


def make_plan(
    pairs: Mapping[int, int], bits: Mapping[int, int], width: int, *, registered: bool = True
) -> Plan:
    """Plan the sum of a heap.

    Args:
        pairs: column -> number of gated pairs.
        bits: column -> number of plain bits.
        width: bits of the result; columns at or above it are dropped.
        registered: inputs are registered; without pairs they may come from registers.
    """
    return _plan(_padded(pairs, width), _padded(bits, width), width, registered)


@lru_cache(maxsize=4096)
def _plan(pairs: Heights, bits: Heights, width: int, registered: bool) -> Plan:
    heights, luts = _first_stage(pairs, bits, width)
    registers = sum(heights) if registered else 0
    counter_stages: list[Heights] = []
    while max(heights) >= 6:
        counters = tuple(height // 6 for height in heights)
        counter_stages.append(counters)
        heights = _after_counters(heights, counters)
        luts += 3 * sum(counters)
        registers += sum(heights)
    adder_stages: list[AdderStage] = []
    rows = _rows(heights)
    while len(rows) > 1:
        stage = _pair_rows(rows, width)
        adder_stages.append(stage)
        luts += sum(a.top - a.low + 1 for a in stage.additions)
        rows = stage_rows(stage)
        registers += sum(len(row.columns) for row in rows)
    return Plan(
        width, pairs, bits, registered, tuple(counter_stages), tuple(adder_stages), luts, registers
    )


def _first_stage(pairs: Heights, bits: Heights, width: int) -> tuple[Heights, int]:
    after = list(bits)
    luts = 0
    for column, count in enumerate(pairs):
        for size in pair_groups(count):
            for weight in range(count_width(size)):
                if column + weight < width:
                    after[column + weight] += 1
                    luts += 1
    return tuple(after), luts


def _after_counters(heights: Heights, counters: Heights) -> Heights:
    after = [height - 6 * used for height, used in zip(heights, counters, strict=True)]
    for column, used in enumerate(counters):
        for weight in range(3):
            if column + weight < len(after):
                after[column + weight] += used
    return tuple(after)


def _rows(heights: Heights) -> tuple[Row, ...]:
    tallest = max(heights)
    return tuple(
        Row(frozenset(column for column, height in enumerate(heights) if height > index))
        for index in range(tallest)
    )


def _pair_rows(rows: tuple[Row, ...], width: int) -> AdderStage:
    # Narrow rows first, so that the long carry chains come late and are few.
    order = sorted(range(len(rows)), key=lambda i: (rows[i].high, rows[i].low, i))
    additions = []
    for left, right in zip(order[0::2], order[1::2], strict=False):
        low = max(rows[left].low, rows[right].low)
        high = max(rows[left].high, rows[right].high)
        additions.append(Addition(left, right, low, min(high + 1, width - 1)))
    passed = (order[-1],) if len(order) % 2 else ()
    return AdderStage(rows, tuple(additions), passed)


def stage_rows(stage: AdderStage) -> tuple[Row, ...]:
    """The rows that a stage of additions leaves, sums first, then the row passed through."""
    sums = [
        Row(
            frozenset(range(a.low, a.top + 1))
            | {
                c
                for row in (stage.rows[a.left], stage.rows[a.right])
                for c in row.columns
                if c < a.low
            }
        )
        for a in stage.additions
    ]
    return tuple(sums) + tuple(stage.rows[i] for i in stage.passed)


def total(heights: Iterable[int]) -> int:
    """The largest sum of a heap: every bit set."""
    return sum(height << column for column, height in enumerate(heights))
