# SPDX-License-Identifier: Apache-2.0
"""The memory of a DynamicMVAU: a matrix is written while the one before it is read for each vector.

Words come as the lanes of a stream: SIMD weights of one output, or PE outputs' weights of one
input. As many of them as make a word of PE * SIMD weights lie in banks side by side.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from qnnc.compiler.dataflow import cost
from qnnc.compiler.resources import Resources


@dataclass(frozen=True, kw_only=True)
class MatrixBuffer:
    """Shape of the memory.

    Attributes:
        bits: of a weight.
        pe: outputs per word.
        simd: inputs per word.
        steps: words of a pass.
        passes: passes over a vector.
        repeat: vectors that a matrix is read for.
        transposed: the matrix comes output by output, each with all its inputs.
        block: memory is block RAM.
    """

    bits: int
    pe: int
    simd: int
    steps: int
    passes: int
    repeat: int
    transposed: bool
    block: bool

    @property
    def lanes(self) -> int:
        """Weights of a word that comes."""
        return self.simd if self.transposed else self.pe

    @property
    def banks(self) -> int:
        """Words that come that make one to be read."""
        return self.pe if self.transposed else self.simd

    @property
    def words(self) -> int:
        """Words of a matrix as it comes."""
        return self.banks * self.steps * self.passes

    @property
    def depth(self) -> int:
        """Words of a bank."""
        return 2 * self.steps * self.passes

    @cached_property
    def ram(self) -> cost.BlockRam:
        """A bank in block RAM."""
        return cost.block_ram(self.lanes * self.bits, self.depth)

    def fits(self, blocks: int) -> bool:
        """It has no more RAMB18E1 than these, and none where a few LUTs do."""
        return not self.block or (self.depth > 32 and self.banks * self.ram.BRAM18 <= blocks)

    @property
    def resources(self) -> Resources:
        """Of the memory and its control."""
        width, address = self.lanes * self.bits, cost.bits_for(self.depth)
        inner, outer = (self.steps, self.passes) if self.transposed else (self.passes, self.steps)
        counts = (inner, outer, self.banks, self.repeat)
        luts = sum(map(cost.counter, counts)) + 4 * address + self.banks / 2 + 6
        ffs = sum(map(cost.bits_for, counts)) + 3.0 * address + 6
        if self.block:
            return Resources(
                LUT=luts + self.banks * self.ram.LUT, FF=ffs, BRAM18=self.banks * self.ram.BRAM18
            )
        luts += self.banks * cost.lut_ram(width, self.depth)
        return Resources(LUT=luts, FF=ffs + self.banks * width)
