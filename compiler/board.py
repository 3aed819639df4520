# SPDX-License-Identifier: Apache-2.0
"""Boards: small data files, found through the entry-point group `qnnc.boards`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from typing import Any

from qnnc.backends.table import BOARDS
from qnnc.compiler.clock import fabric_clock
from qnnc.compiler.errors import PluginError
from qnnc.compiler.memory_ports import MAX_PORTS, MemoryPorts
from qnnc.compiler.plugins import Table
from qnnc.compiler.resources import Resources

TABLE = Table("board", "qnnc.boards", BOARDS)
DDR_EFFICIENCY = 0.75
"""Share of its peak that a Zynq-7000's memory controller is designed to reach (UG585, "DDR
Efficiency": about 75 % at most, 87 % in a favourable measurement of reads and writes)."""


@dataclass(frozen=True)
class Board:
    """A board that a build can be made for.

    Attributes:
        name: as given to `--board`.
        part: the device, as Vivado spells it.
        resources: what the device has.
        clock_mhz: default clock of the accelerator.
        ddr_mbyte_per_s: peak bandwidth of the board's DDR memory.
        ddr_mbyte: its size.
        ps_clock_mhz: crystal of the processing system.
        pll_mhz: PLL of the processing system that the accelerator's clock is divided from, as the
            board's boot loader sets it.
        description: one line for `qnnc boards`.
        memory_port_bits: of each port by which the accelerator reaches the memory.
        memory_ports: how many of them it may use, of HP0 to HP3.

    Raises:
        PluginError: there cannot be so many ports.
    """

    name: str
    part: str
    resources: Resources
    clock_mhz: float
    ddr_mbyte_per_s: float
    description: str
    ddr_mbyte: int = 512
    ps_clock_mhz: float = 50.0
    pll_mhz: float = 1000.0
    memory_port_bits: int = 64
    memory_ports: int = MAX_PORTS

    def __post_init__(self) -> None:
        if not 1 <= self.memory_ports <= MAX_PORTS:
            raise PluginError(
                f"board {self.name}: memory_ports is {self.memory_ports}; a Zynq has 1 to "
                f"{MAX_PORTS}"
            )

    def clock(self, wanted_mhz: float | None = None) -> float:
        """The accelerator's exact clock in MHz: the one that `wanted_mhz` means, or the board's.

        Raises:
            OptionError: the board cannot set such a clock.
        """
        return fabric_clock(self.pll_mhz, self.clock_mhz if wanted_mhz is None else wanted_mhz)

    def bytes_per_cycle(self, clock_mhz: float, ports: int = 1) -> float:
        """What the memory gives over so many ports in a cycle of the accelerator's clock, for a
        while: the lesser of memory and ports, times the controller's efficiency."""
        wide = ports * self.memory_port_bits / 8 * clock_mhz
        return DDR_EFFICIENCY * min(self.ddr_mbyte_per_s, wide) / clock_mhz

    def memory(self, clock_mhz: float) -> MemoryPorts:
        """The ports to the memory at a clock of the accelerator."""
        return MemoryPorts(
            self.memory_ports,
            self.bytes_per_cycle(clock_mhz),
            DDR_EFFICIENCY * self.ddr_mbyte_per_s / clock_mhz,
        )

    @classmethod
    def from_toml(cls, file: Traversable) -> Board:
        """Read a board file; raises PluginError naming the file and the key at fault."""
        try:
            data: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
            return cls(
                name=str(data["name"]),
                part=str(data["part"]),
                resources=Resources(**data["resources"]),
                clock_mhz=float(data["clock_mhz"]),
                ddr_mbyte_per_s=float(data["ddr_mbyte_per_s"]),
                description=str(data["description"]),
                ddr_mbyte=int(data.get("ddr_mbyte", cls.ddr_mbyte)),
                ps_clock_mhz=float(data.get("ps_clock_mhz", cls.ps_clock_mhz)),
                pll_mhz=float(data.get("pll_mhz", cls.pll_mhz)),
                memory_port_bits=int(data.get("memory_port_bits", cls.memory_port_bits)),
                memory_ports=int(data.get("memory_ports", cls.memory_ports)),
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise PluginError(f"board file {file.name}: {error!r}") from error


def find_board(name: str) -> Board:
    """The board called `name`; raises OptionError with the nearest names if there is none."""
    return TABLE.load(name, Board)


def all_boards() -> list[Board]:
    """Every installed board, by name."""
    return [find_board(name) for name in TABLE.names()]
