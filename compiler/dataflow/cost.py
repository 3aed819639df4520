# SPDX-License-Identifier: Apache-2.0
"""Costs of the pieces that the SystemVerilog library is made of, on 7-series.

Counts of LUTs are what Yosys makes of the library for xc7 (`tests/` holds the comparison);
block RAM is exact, since the library places it in columns of RAMB18E1 itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

BLOCK_SHAPES = ((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1))
"""(depth, width) of one RAMB18E1 as a ROM; 512 x 36 reads halves of 1024 x 18 on both ports."""


def bits_for(count: int) -> int:
    """Bits that tell `count` states apart, at least one."""
    return max(1, (count - 1).bit_length())


DEEPEST = BLOCK_SHAPES[-1][0]
"""Words of the deepest column of RAMB18E1."""
BLOCK_IN_LUTS = 190
"""LUTs that cost as much as a RAMB18E1: the ratio of the two on a Z7020."""


def block_rom(width: int, depth: int) -> int:
    """RAMB18E1 of a ROM (`qnnc_rom_columns`); raises ValueError beyond `DEEPEST` words."""
    for shape_depth, shape_width in BLOCK_SHAPES:
        if depth <= shape_depth:
            return math.ceil(width / shape_width)
    raise ValueError(f"{depth} words are too deep for one column of block RAM")


@dataclass(frozen=True)
class BlockRam:
    """A RAM in block RAM with one write and one read port (`qnnc_ram`).

    Attributes:
        bank: words of each bank but the last, a power of two; 0 where there is only one.
        banks: how many there are.
        BRAM18: RAMB18E1 of all of them.
        LUT: that choose among them.
    """

    bank: int
    banks: int
    BRAM18: int
    LUT: float


@lru_cache(maxsize=4096)
def block_ram(width: int, depth: int) -> BlockRam:
    """A RAM of any depth: one bank, or as many as cost least; 512 x 36 is simple dual port."""
    found = [BlockRam(0, 1, block_rom(width, depth), 0)] if depth <= DEEPEST else []
    for words, _ in BLOCK_SHAPES:
        banks = math.ceil(depth / words)
        if banks > 1:
            blocks = (banks - 1) * block_rom(width, words)
            blocks += block_rom(width, depth - (banks - 1) * words)
            luts = multiplexer(width, banks) + banks
            found.append(BlockRam(words, banks, blocks, luts))
    return min(found, key=lambda ram: (ram.BRAM18 + ram.LUT / BLOCK_IN_LUTS, ram.banks))


def dual_ram(width: int, depth: int) -> int:
    """RAMB18E1 of a RAM with a read and a write port of its own (`qnnc_dual_ram`)."""
    return block_rom(width, max(depth, BLOCK_SHAPES[1][0]))


def lut_memory(width: int, depth: int) -> int:
    """LUTs of a ROM in LUT6 primitives (`qnnc_lut_rom`): 64 words each, multiplexed by MUXF7 and
    MUXF8 up to 256 words and by LUTs beyond."""
    quads = math.ceil(depth / 256)
    return width * (math.ceil(depth / 64) + math.ceil((quads - 1) / 3))


def logic_rom(words: NDArray[np.int64], bits: int) -> float:
    """LUTs of a ROM in logic, by its contents [words].

    Each bit of the word is a table of its own, made of blocks of 64 entries; a block that is
    constant or occurs twice costs nothing, and every three blocks left take a multiplexer.
    """
    depth = max(64, 64 * math.ceil(len(words) / 64))
    tables = (np.resize(words, depth) >> np.arange(bits)[:, None]) & 1
    blocks = np.packbits(tables.astype(np.uint8), axis=1).view(np.uint64)
    blocks.sort(axis=1)
    first = np.ones(blocks.shape, dtype=bool)  # of each kind of block
    first[:, 1:] = blocks[:, 1:] != blocks[:, :-1]
    telling = first & (blocks != 0) & (blocks != ~np.uint64(0))
    multiplexers = np.ceil((first.sum(axis=1) - 1) / 3)
    return float(telling.sum() + multiplexers.sum())


def lut_ram(width: int, depth: int) -> float:
    """LUTs of a RAM with one write and one read port (RAM32M, RAM64M)."""
    if depth <= 32:
        return 4 * math.ceil(width / 6)
    blocks = math.ceil(depth / 64)
    multiplexers = width * math.ceil((blocks - 1) / 3) if blocks > 1 else 0
    return 4 * math.ceil(width / 3) * blocks + multiplexers


def counter(states: int) -> float:
    """LUTs of a counter that wraps at a constant."""
    return 0 if states <= 1 else bits_for(states) + 1


def product(a: int, b: int) -> float:
    """LUTs of a product of `a` by `b` bits (Yosys's array of adders)."""
    return max(a + b, 1.6 * a * b - 5)


def comparator(bits: int) -> float:
    """LUTs of x >= y."""
    return math.ceil(bits / 2) + 1


def multiplexer(width: int, ways: int) -> float:
    """LUTs of a `ways` to one multiplexer."""
    return 0 if ways <= 1 else width * math.ceil((ways - 1) / 2.6)


@dataclass(frozen=True)
class WeightMemory:
    """Shape of a weight stream's memory: rows of `group` words side by side."""

    width: int
    depth: int
    group: int

    @property
    def rows(self) -> int:
        """Rows of the memory."""
        return math.ceil(self.depth / self.group)

    @property
    def BRAM18(self) -> int:
        """RAMB18E1 of the memory."""
        return block_rom(self.group * self.width, self.rows)


def block_weight_memory(width: int, depth: int) -> WeightMemory:
    """The grouping that takes the fewest block RAMs, and of those the least multiplexing.

    Deep and narrow contents are laid side by side until a row is a block RAM's natural width.
    """
    candidates = [1]
    for rows in (512, 1024, 2048):
        candidates.append(math.ceil(depth / rows))
    shapes = [WeightMemory(width, depth, group) for group in sorted(set(candidates))]
    shapes = [shape for shape in shapes if shape.rows <= BLOCK_SHAPES[-1][0]]
    return min(shapes, key=lambda shape: (shape.BRAM18, shape.group))
