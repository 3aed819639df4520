# SPDX-License-Identifier: Apache-2.0
"""What UpsampleNearestNeighbour and Shuffle share: blocks written in order and read in another.

A block is written into one half of a memory while the block before is read from the other half
by nested counting loops, innermost first.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from qnnc.compiler.dataflow import cost
from qnnc.compiler.dataflow.base import DataflowNode, divisors
from qnnc.compiler.dataflow.folding import MemoryFolding, SIMDFolding
from qnnc.compiler.dataflow.loops import Loop
from qnnc.compiler.dataflow.schedule import Intake, Schedule
from qnnc.compiler.resources import Resources


@dataclass(frozen=True, kw_only=True)
class ReorderingFolding(MemoryFolding, SIMDFolding):
    """SIMD elements come and go per cycle."""


class Reordering(DataflowNode[ReorderingFolding]):
    """Base of nodes that are such a memory."""

    folding_type = ReorderingFolding
    keeps_coding = True
    output_types = ()

    @property
    @abstractmethod
    def most_lanes(self) -> int:
        """Elements that stay side by side, of which SIMD is a divisor."""

    def foldings(self) -> Iterable[ReorderingFolding]:
        for simd in divisors(self.most_lanes):
            yield ReorderingFolding(SIMD=simd)
            yield ReorderingFolding(SIMD=simd, ram_style="block")

    @abstractmethod
    def block_words(self, folding: ReorderingFolding) -> int:
        """Words of a block as it comes."""

    @abstractmethod
    def loops(self, folding: ReorderingFolding) -> tuple[Loop, ...]:
        """Loops in words that read a block, innermost first."""

    def first_word(self, folding: ReorderingFolding) -> int:
        """The word of a block that is read first."""
        return 0

    def read_words(self, folding: ReorderingFolding) -> int:
        """Words that are read from a block."""
        return math.prod(loop.count for loop in self.loops(folding))

    def depth(self, folding: ReorderingFolding) -> int:
        """Words from the start of one half to the end of the other, which begins at a power of
        two."""
        words = self.block_words(folding)
        return (1 << cost.bits_for(words)) + words

    def cycles(self, folding: ReorderingFolding) -> int:
        ports = self.ports(folding)
        return max(ports.inputs[0].words, ports.outputs[0].words)

    def latency(self, folding: ReorderingFolding) -> int:
        return self.block_words(folding) + 3

    def schedule(self, folding: ReorderingFolding) -> Schedule:
        """A block at a time, read vector by vector where a block is made of whole vectors."""
        block = self.block_words(folding) * folding.SIMD
        read = self.read_words(folding) * folding.SIMD
        ports = self.ports(folding)
        blocks, vector = ports.inputs[0].elements // block, ports.outputs[0].shape[-1]
        pieces = 1 if read % vector else read // vector
        firings = np.arange(1, blocks * pieces + 1)
        needed = -(-firings // pieces) * block
        return Schedule(
            np.full(firings.size, read // folding.SIMD // pieces, dtype=np.int64),
            3,
            (Intake(needed, firings // pieces * block, 2 * block),),
            (firings * (read // pieces),),
        )

    def resources(self, folding: ReorderingFolding) -> Resources:
        stream = self.ports(folding).inputs[0]
        depth, loops = self.depth(folding), self.loops(folding)
        address = cost.bits_for(depth)
        luts = sum(cost.counter(loop.count) for loop in loops) + 2.2 * address + 11
        ffs = 2 * address + sum(cost.bits_for(loop.count) for loop in loops) + 4
        if folding.ram_style == "block":
            ram = cost.block_ram(stream.bits, depth)
            return Resources(LUT=luts + ram.LUT, FF=ffs, BRAM18=ram.BRAM18)
        return Resources(LUT=luts + cost.lut_ram(stream.bits, depth), FF=ffs + stream.bits)
