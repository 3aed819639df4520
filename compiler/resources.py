# SPDX-License-Identifier: Apache-2.0
"""What a design takes from an FPGA."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import astuple, dataclass, fields

from qnnc.compiler.errors import OptionError


@dataclass(frozen=True)
class Resources:
    """Counts of 7-series primitives.

    Attributes:
        LUT: six-input LUTs, as logic or as memory.
        FF: flip-flops.
        BRAM18: RAMB18E1; a RAMB36E1 counts as two.
        DSP: DSP48E1.
    """

    LUT: float = 0
    FF: float = 0
    BRAM18: float = 0
    DSP: float = 0

    def __add__(self, other: Resources) -> Resources:
        pairs = zip(astuple(self), astuple(other), strict=True)
        return Resources(*(mine + theirs for mine, theirs in pairs))

    def less(self, other: Resources) -> Resources:
        """What is left without `other`, nothing where that is more."""
        pairs = zip(astuple(self), astuple(other), strict=True)
        return Resources(*(max(0, mine - theirs) for mine, theirs in pairs))

    def least(self, other: Resources) -> Resources:
        """Of each kind the lesser count."""
        return Resources(*map(min, astuple(self), astuple(other)))

    def most(self, other: Resources) -> Resources:
        """Of each kind the greater count."""
        return Resources(*map(max, astuple(self), astuple(other)))

    def only(self, names: Collection[str]) -> Resources:
        """The counts of some kinds, none of the others."""
        return Resources(**{n: c for n, c in self.as_dict().items() if n in names})

    def scaled(self, factor: float) -> Resources:
        """Every count multiplied by `factor`."""
        return Resources(*(count * factor for count in astuple(self)))

    def rounded(self) -> Resources:
        """Every count as the nearest integer."""
        return Resources(*(round(count) for count in astuple(self)))

    def as_dict(self) -> dict[str, float]:
        """Counts by primitive name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def exceeding(self, budget: Resources) -> list[str]:
        """Names of the primitives of which `budget` has fewer."""
        return [name for name, count in self.as_dict().items() if count > getattr(budget, name)]


def check_budget(share: float) -> None:
    """Raise OptionError for an impossible share of a device."""
    if not 0 < share <= 1 and share != math.inf:
        raise OptionError(
            "--budget is a share of the board above 0 and up to 1, or inf to see what a network "
            f"would take of a device without limits, not {share}"
        )


RESOURCE_NAMES = tuple(field.name for field in fields(Resources))
