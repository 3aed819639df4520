# SPDX-License-Identifier: Apache-2.0
"""A path through a netlist, and what is known of a module's paths."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Path:
    """A path between two registers, or ports.

    Attributes:
        ns: its delay; what registers at its ends take is included.
        levels: LUTs, carry chains' parts and multiplexers that it passes.
        start: the signal that it starts from.
        end: the register that it ends at, and its pin if that is not the data's.
    """

    ns: float
    levels: int
    start: str
    end: str

    def then(self, other: Path) -> Path:
        """This path, and one that begins at the port where it ends."""
        return Path(self.ns + other.ns, self.levels + other.levels, self.start, other.end)

    def inside(self, instance: str) -> Path:
        """The path with names as they are outside of an instance."""
        return replace(self, start=f"{instance}.{self.start}", end=f"{instance}.{self.end}")


@dataclass(frozen=True)
class ModuleTiming:
    """The longest paths of a module, ports by name. A wire counts where what drives it is known:
    what enters or passes does so without the wire at the input.

    Attributes:
        inside: from register to register, if there is one.
        leaving: from a register to an output.
        entering: from an input to a register.
        passing: from an input to an output.
        pins: that an input drives, the most of its bits.
    """

    inside: Path | None
    leaving: Mapping[str, Path]
    entering: Mapping[str, Path]
    passing: Mapping[tuple[str, str], Path]
    pins: Mapping[str, int]
