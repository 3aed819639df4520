# SPDX-License-Identifier: Apache-2.0
"""A pipelined binary search over sorted thresholds: tables by stage, and what they cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qnnc.compiler.dataflow import cost
from qnnc.compiler.ir.facts import IntArray


@dataclass(frozen=True, eq=False)
class Search:
    """How many of a row's thresholds an operand reaches.

    The search looks at one threshold a stage, ceil(log2(steps + 1)) stages, each with a table of
    its own: stage s holds, for each row, the 2**s thresholds that may be looked at then. Where
    steps + 1 is not a power of two, the search tree is filled up at the front with a threshold that
    is always reached.

    Attributes:
        thresholds: [rows, steps], ascending in each row.
        bits: of thresholds and operands.
        signed: they are.
    """

    thresholds: NDArray[np.int64]
    bits: int
    signed: bool

    @property
    def stages(self) -> int:
        """Decisions of the search: bits of the number of thresholds reached."""
        return len(self.thresholds[0]).bit_length()

    @property
    def missing(self) -> int:
        """Places of the search tree that the thresholds leave free."""
        return (1 << self.stages) - 1 - int(self.thresholds.shape[1])

    def tables(self, lane: int, lanes: int) -> list[IntArray]:
        """The tables [words] of a lane by stage; rows go round the lanes, one row is for all of
        them."""
        always = -(1 << (self.bits - 1)) if self.signed else 0
        mine = self.thresholds if len(self.thresholds) == 1 else self.thresholds[lane::lanes]
        full = np.pad(mine, ((0, 0), (self.missing, 0)), constant_values=always)
        tables = []
        for stage in range(self.stages):
            step = 1 << (self.stages - 1 - stage)
            looked_at = np.arange(1 << stage) * 2 * step + step - 1
            tables.append(full[:, looked_at].reshape(-1))
        return tables

    def cost(self, lanes: int, in_block: Callable[[int], bool]) -> tuple[float, int]:
        """LUTs and RAMB18E1 of a lane.

        Args:
            lanes: that rows go round.
            in_block: whether a table of so many words is in block RAM.
        """
        luts, blocks = 0.0, 0
        # lanes differ in contents but hardly in cost: the first stands for all
        for table in self.tables(0, lanes):
            luts += cost.comparator(self.bits) if len(table) > 1 else self.bits / 4
            if in_block(len(table)):
                blocks += cost.block_rom(self.bits, len(table))
            else:
                luts += cost.logic_rom(table, self.bits)
        return luts, blocks

    def registers(self) -> int:
        """Flip-flops of a lane."""
        return self.stages * (3 * self.bits + self.stages)
