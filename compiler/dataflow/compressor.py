# SPDX-License-Identifier: Apache-2.0
"""Compressor trees: summing a heap of weighted bits in six-input LUTs and carry chains.

A dot product of narrow integers is a heap of bits, each worth a power of two. The plan here
turns such a heap into one or two numbers in pipelined stages, a register after every LUT:

1. products enter: pairs (an activation bit with a weight bit) are gated and counted three at a
   time, six inputs, a two-bit count, two LUTs; rows of gated bits are added two at a time on a
   carry chain, a LUT for every two pairs;
2. while a column holds seven bits or more, 7:3 counters (two LUTs, four bits fewer);
3. what is left, six rows at most, goes through three-operand carry chains.

Steps 2 and 3 cost about one LUT for every two bits they remove, so that nothing is gained by a
cleverer order. The plan speaks of heights only; `backends/rtl` replays it with names, and the
resource model counts it, so that estimate and hardware cannot drift apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

Heights = tuple[int, ...]
"""Number of bits in each column, column 0 (worth 1) first."""

COUNTED = 7
"""Bits that a counter takes."""


@dataclass(frozen=True)
class GatedAdders:
    """`count` carry chains, each of which adds two rows of `bits` gated bits from `column` on."""

    column: int
    bits: int
    count: int


@dataclass(frozen=True)
class Row:
    """One operand of the final additions: the columns in which it has a bit."""

    columns: frozenset[int]

    @property
    def low(self) -> int:
        """Lowest column with a bit."""
        return min(self.columns)

    @property
    def high(self) -> int:
        """Highest column with a bit."""
        return max(self.columns)


@dataclass(frozen=True)
class Addition:
    """Two or three rows of the stage before become one; columns low..top are the sum."""

    rows: tuple[int, ...]
    low: int
    top: int


@dataclass(frozen=True)
class AdderStage:
    """Additions of rows; a row left over passes through a register."""

    rows: tuple[Row, ...]
    additions: tuple[Addition, ...]
    passed: tuple[int, ...]


@dataclass(frozen=True)
class Plan:
    """How a heap is summed.

    Attributes:
        width: bits of the result, modulo 2**width.
        pairs: gated pairs a column, counted in the first stage.
        bits: plain bits per column, registered in the first stage.
        gated: additions of gated rows in the first stage.
        registered: there is a register after the first stage.
        counter_stages: for each later stage, 7:3 counters per column.
        adder_stages: the final carry chains.
        left: the rows of the numbers that the sum is left in.
        luts: six-input LUTs of the whole tree.
        registers: flip-flops of the whole tree.
    """

    width: int
    pairs: Heights
    bits: Heights
    gated: tuple[GatedAdders, ...]
    registered: bool
    counter_stages: tuple[Heights, ...]
    adder_stages: tuple[AdderStage, ...]
    left: tuple[Row, ...]
    luts: int
    registers: int

    @property
    def rows(self) -> int:
        """Numbers that the sum is left in."""
        return len(self.left)

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
    pairs: Mapping[int, int],
    bits: Mapping[int, int],
    gated: Iterable[GatedAdders] = (),
    *,
    width: int | None = None,
    rows: int = 1,
    registered: bool = True,
) -> Plan:
    """Plan the sum of a heap.

    Args:
        pairs: column -> number of gated pairs.
        bits: column -> number of plain bits.
        gated: additions of gated rows.
        width: bits of the result; columns at or above it are dropped. None for the whole sum.
        rows: numbers, one to three, that the sum may be left in.
        registered: inputs are registered; if there are but plain bits, they may come from
            registers.
    """
    gated = tuple(gated)
    if width is None:
        largest = total(pairs) + total(bits)
        largest += sum(2 * g.count * ((1 << g.bits) - 1) << g.column for g in gated)
        width = max(1, largest.bit_length())
    return _plan(_padded(pairs, width), _padded(bits, width), gated, width, rows, registered)


def total(heights: Mapping[int, int]) -> int:
    """The largest sum of a heap: every bit set."""
    return sum(height << column for column, height in heights.items())


@lru_cache(maxsize=4096)
def _plan(
    pairs: Heights,
    bits: Heights,
    gated: tuple[GatedAdders, ...],
    width: int,
    rows: int,
    registered: bool,
) -> Plan:
    heights, luts = _first_stage(pairs, bits, gated, width)
    registers = sum(heights) if registered else 0
    counter_stages: list[Heights] = []
    while max(heights) >= COUNTED:
        counters = tuple(height // COUNTED for height in heights)
        counter_stages.append(counters)
        heights = _after_counters(heights, counters)
        luts += 2 * sum(counters)
        registers += sum(heights)
    adder_stages: list[AdderStage] = []
    left = _rows(heights)
    while len(left) > rows:
        stage = _add_rows(left, rows, width)
        adder_stages.append(stage)
        luts += sum(addition_luts(stage, a) for a in stage.additions)
        left = stage_rows(stage)
        registers += sum(len(row.columns) for row in left)
    return Plan(
        width,
        pairs,
        bits,
        gated,
        registered,
        tuple(counter_stages),
        tuple(adder_stages),
        left,
        luts,
        registers,
    )


def _first_stage(
    pairs: Heights, bits: Heights, gated: tuple[GatedAdders, ...], width: int
) -> tuple[Heights, int]:
    after = list(bits)
    luts = 0
    for column, count in enumerate(pairs):
        for size in pair_groups(count):
            for weight in range(count_width(size)):
                if column + weight < width:
                    after[column + weight] += 1
                    luts += 1
    for adders in gated:
        luts += adders.count * adders.bits
        for bit in range(adders.bits + 1):
            if adders.column + bit < width:
                after[adders.column + bit] += adders.count
    return tuple(after), luts


def _after_counters(heights: Heights, counters: Heights) -> Heights:
    after = [height - COUNTED * used for height, used in zip(heights, counters, strict=True)]
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


def _add_rows(rows: tuple[Row, ...], target: int, width: int) -> AdderStage:
    # Narrow rows first, so that the long carry chains come late and are few; two at once only
    # where threes do not come out even.
    order = sorted(range(len(rows)), key=lambda i: (rows[i].high, rows[i].low, i))
    additions = []
    if (len(rows) - target) % 2:
        additions.append(_addition(rows, tuple(order[:2]), width))
        order = order[2:]
    excess = len(rows) - target - len(additions)
    for _ in range(min(len(order) // 3, excess // 2)):
        additions.append(_addition(rows, tuple(order[:3]), width))
        order = order[3:]
    return AdderStage(rows, tuple(additions), tuple(order))


def _addition(rows: tuple[Row, ...], chosen: tuple[int, ...], width: int) -> Addition:
    low = sorted(rows[i].low for i in chosen)[1]
    largest = sum(1 << c for i in chosen for c in rows[i].columns)
    return Addition(chosen, low, min(largest.bit_length(), width) - 1)


def addition_luts(stage: AdderStage, addition: Addition) -> int:
    """LUTs of an addition: one per column up to the last one that holds a bit."""
    return max(stage.rows[i].high for i in addition.rows) - addition.low + 1


def stage_rows(stage: AdderStage) -> tuple[Row, ...]:
    """The rows that a stage of additions leaves, sums first, then the rows passed through."""
    sums = [
        Row(
            frozenset(range(a.low, a.top + 1))
            | {c for i in a.rows for c in stage.rows[i].columns if c < a.low}
        )
        for a in stage.additions
    ]
    return tuple(sums) + tuple(stage.rows[i] for i in stage.passed)
