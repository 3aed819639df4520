# SPDX-License-Identifier: Apache-2.0
"""Delays of wires, which nobody knows before place and route: a model, fitted to nextpnr's.

`benchmarks/calibrate_timing.py` routes nodes and prints how far the model is from them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from qnnc.backends.timing.cells import CARRY, COLUMN, LUT, MUX, REGISTER


@dataclass(frozen=True)
class Wires:
    """A wire's delay in nanoseconds: base + slope * (sqrt(pins) - 1), since as many pins take an
    area of their number.

    Attributes:
        base: of a wire to one pin.
        slope: with the root of the number of pins.
        column: to or from a block RAM or a DSP block, which lie in columns apart.
        local: of a wire inside a slice that is not part of a chain, or of a DSP block's cascade.
        into_carry: of the LUT that a signal passes to get at a carry chain.
        crowded: how much longer paths are in an accelerator of several nodes than in a node that
            is placed by itself.
    """

    base: float = 0.36
    slope: float = 0.065
    column: float = 1.0
    local: float = 0.02
    into_carry: float = 0.124
    crowded: float = 1.13

    def words(self) -> str:
        """The model in a line."""
        return (
            "cells as in Yosys's xc7 models, speed grade -1; wires to n pins "
            f"{self.base:g} + {self.slope:g} (√n - 1) ns, {self.column:g} ns more at block RAM "
            f"and DSP blocks; {100 * (self.crowded - 1):.0f} % on all paths where several nodes "
            "are placed together"
        )

    def delay(self, driver: str, target: str, pin: str, pins: int) -> float:
        """From one cell to another.

        Args:
            driver: kind of the cell that drives it.
            target: kind of the cell that reads it.
            pin: at which.
            pins: that it drives in all.
        """
        if target == CARRY:
            if driver == CARRY and pin == "CI":
                return self.local
            if driver == LUT and pins == 1 and pin.startswith("S["):
                return 0.0
            return self.routed(pins, driver) + (self.into_carry if pin[0] in "SD" else 0.0)
        if target == MUX and pin != "S":
            return 0.0
        if pin == "PCIN":  # of the DSP block above, by a wire of its own
            return self.local
        if target == REGISTER and pin == "D" and pins == 1 and driver in (LUT, MUX, CARRY):
            return self.local
        return self.routed(pins, driver, target)

    def routed(self, pins: int, *ends: str) -> float:
        """Outside of a slice, to one of so many pins; `ends` are kinds of cells."""
        spread = self.base + self.slope * (math.sqrt(max(1, pins)) - 1)
        return spread + (self.column if COLUMN in ends else 0.0)
