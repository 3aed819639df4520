# SPDX-License-Identifier: Apache-2.0
"""A family folder of the prjxray database: what a feature's bits are, and where tiles lie.

The files are those of Project X-Ray: `segbits_TYPE.db` (bits of each feature of a tile type),
`segbits_TYPE.block_ram.db` (contents of block RAM), `ppips_TYPE.db` (features without bits),
`DEVICE/tilegrid.json` (tiles and their place in the frames), `PART/part.json` (frames there are)
and `mapping/` (part to device to fabric).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from qnnc.compiler.errors import OptionError, WorkspaceError

CLB, BLOCK_RAM = "CLB_IO_CLK", "BLOCK_RAM"
BUSES = (CLB, BLOCK_RAM)
"""Configuration buses, numbered as in frame addresses."""

Bit = tuple[int, int, bool]
"""Frame within the tile's column, bit within the tile's words, and whether it is set."""


@dataclass(frozen=True)
class Place:
    """Where a tile's bits lie on one bus.

    Attributes:
        base: address of its first frame.
        frames: how many there are.
        offset: its first bit within a frame.
        bits: how many bits of a frame are the tile's.
    """

    base: int
    frames: int
    offset: int
    bits: int


@dataclass(frozen=True)
class Tile:
    """A tile of the device.

    Attributes:
        kind: the tile type whose features it has.
        own: its own tile type; another than `kind` where prjxray aliases it.
        places: by bus.
        sites: names of sites as FASM has them, to those of `kind`.
    """

    kind: str
    own: str
    places: Mapping[str, Place]
    sites: Mapping[str, str]


class Table(NamedTuple):
    """A feature with addresses, each a single bit that is set.

    Attributes:
        bus: that the bits lie on.
        columns: frame of each address.
        bits: bit of each address within the tile's words.
    """

    bus: str
    columns: NDArray[np.int64]
    bits: NDArray[np.int64]


class Segbits:
    """The features of one tile type."""

    def __init__(self, root: Path, kind: str) -> None:
        lower = kind.lower()
        self._bits: dict[str, tuple[str, str]] = {}
        self._indexed: dict[str, dict[int, tuple[str, str]]] = {}
        self._tables: dict[str, Table | None] = {}
        self.without_bits = _without_bits(root / f"ppips_{lower}.db")
        for bus, suffix in ((CLB, ""), (BLOCK_RAM, ".block_ram")):
            self._read(root / f"segbits_{lower}{suffix}.db", bus)

    def _read(self, path: Path, bus: str) -> None:
        if not path.is_file():
            return
        for line in path.read_text(encoding="utf-8").splitlines():
            feature, _, bits = line.partition(" ")
            name = feature.partition(".")[2]
            if not name:
                continue
            if name.endswith("]"):
                base, _, index = name[:-1].rpartition("[")
                self._indexed.setdefault(base, {})[int(index)] = (bus, bits)
            else:
                self._bits[name] = (bus, bits)

    def find(self, name: str, address: int | None) -> tuple[str, list[Bit]] | None:
        """The bus and the bits of a feature, or None if there is no such feature."""
        found = self._bits.get(name) if not address else None
        if found is None:
            found = self._indexed.get(name, {}).get(address or 0)
        if found is None:
            return None
        return found[0], [_bit(text) for text in found[1].split()]

    def table(self, name: str) -> Table | None:
        """All addresses of a feature at once, if each is a single bit, as contents of memories
        are; else None."""
        if name not in self._tables:
            self._tables[name] = self._table(name)
        return self._tables[name]

    def _table(self, name: str) -> Table | None:
        entries = self._indexed.get(name, {})
        buses = {bus for bus, _ in entries.values()}
        texts = [entries.get(address, ("", ""))[1] for address in range(len(entries))]
        if len(buses) != 1 or not all(re.fullmatch(r"\d+_\d+", text) for text in texts):
            return None
        pairs = np.array([text.split("_") for text in texts], dtype=np.int64)
        return Table(buses.pop(), pairs[:, 0], pairs[:, 1])


def _bit(text: str) -> Bit:
    is_set = text[0] != "!"
    column, _, bit = text.lstrip("!").partition("_")
    return int(column), int(bit), is_set


def _without_bits(path: Path) -> frozenset[str]:
    if not path.is_file():
        return frozenset()
    names = (line.split(" ")[0] for line in path.read_text(encoding="utf-8").splitlines())
    return frozenset(name.partition(".")[2] for name in names if name)


class Database:
    """The database of one part.

    Raises:
        WorkspaceError: the folder is not a family folder of a prjxray database, or is broken.
        OptionError: it does not have the part.
    """

    def __init__(self, root: Path, part: str) -> None:
        self.root, self.part = root, part
        if not (root / "mapping" / "parts.yaml").is_file():
            raise WorkspaceError(
                f"{root} is not a family folder of a prjxray database (it has no "
                "mapping/parts.yaml); give one such as prjxray-db/zynq7"
            )
        parts = _mapping(root / "mapping" / "parts.yaml")
        if part not in parts or not (root / part / "part.json").is_file():
            known = [p for p in sorted(parts) if (root / p / "part.json").is_file()]
            raise OptionError(
                f"the prjxray database in {root} has no part {part!r}; it has "
                f"{', '.join(known[:8]) or 'none'}"
            )
        device = parts[part].get("device", "")
        fabrics = _mapping(root / "mapping" / "devices.yaml")
        self.fabric = fabrics.get(device, {}).get("fabric", device)
        self._segbits: dict[str, Segbits] = {}

    @cached_property
    def _part(self) -> dict[str, Any]:
        return _json(self.root / self.part / "part.json")

    @property
    def idcode(self) -> int:
        """The device's JTAG identity code, which the bitstream is checked against."""
        return int(self._part["idcode"])

    @cached_property
    def tiles(self) -> dict[str, Any]:
        """The device's tiles, as tilegrid.json has them."""
        return _json(self.root / self.fabric / "tilegrid.json")

    def tile(self, name: str) -> Tile | None:
        """A tile by name, or None."""
        entry = self.tiles.get(name)
        return None if entry is None else _tile(entry)

    def segbits(self, kind: str) -> Segbits:
        """The features of a tile type."""
        if kind not in self._segbits:
            self._segbits[kind] = Segbits(self.root, kind)
        return self._segbits[kind]

    @property
    def required(self) -> Path:
        """FASM that every design for the part needs; the file may be absent."""
        return self.root / self.part / "required_features.fasm"

    @cached_property
    def rows(self) -> list[list[int]]:
        """Frame addresses in the order in which they are configured, a list for each row of
        each bus (UG470: block type, top or bottom half, row, column, minor)."""
        rows = []
        for number, bus in enumerate(BUSES):
            for half, name in enumerate(("top", "bottom")):
                region = self._part["global_clock_regions"][name]["rows"]
                for row in sorted(region, key=int):
                    columns = region[row]["configuration_buses"].get(bus)
                    if columns is None:
                        continue
                    columns = columns["configuration_columns"]
                    base = number << 23 | half << 22 | int(row) << 17
                    rows.append(
                        [
                            base | int(column) << 7 | minor
                            for column in sorted(columns, key=int)
                            for minor in range(int(columns[column]["frame_count"]))
                        ]
                    )
        return rows


PACKAGED = Path("/usr/share/prjxray/database")
"""Where Debian's package prjxray-database lies."""
_FAMILIES = {"xc7z": "zynq7", "xc7a": "artix7", "xc7k": "kintex7", "xc7s": "spartan7"}


def database_root(given: Path | None, part: str) -> Path | None:
    """The family folder to use for a part: the one given, else that of an installed package."""
    packaged = PACKAGED / _FAMILIES.get(part[:4], "")
    return given or (packaged if (packaged / "mapping" / "parts.yaml").is_file() else None)


NO_DATABASE = (
    "no prjxray database: give its family folder, such as prjxray-db/zynq7, with --prjxray-db or "
    "QNNC_PRJXRAY_DB, or install Debian's prjxray-database"
)


def needed_database(given: Path | None, part: str) -> Path:
    """The same where it cannot do without; raises WorkspaceError if there is none."""
    root = database_root(given, part)
    if root is None:
        raise WorkspaceError(NO_DATABASE)
    return root


def _tile(entry: Mapping[str, Any]) -> Tile:
    kind, sites = str(entry["type"]), {}
    places = {}
    for bus, bits in entry.get("bits", {}).items():
        offset = int(bits["offset"])
        alias = bits.get("alias")
        if alias:
            kind = str(alias["type"])
            sites.update(alias["sites"])
            offset -= int(alias["start_offset"])
        places[bus] = Place(
            int(bits["baseaddr"], 16), int(bits["frames"]), 32 * offset, 32 * int(bits["words"])
        )
    return Tile(kind, str(entry["type"]), places, sites)


def _json(path: Path) -> dict[str, Any]:
    try:
        loaded = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WorkspaceError(f"cannot read {path} of the prjxray database: {error}") from error
    if not isinstance(loaded, dict):
        raise WorkspaceError(f"{path} of the prjxray database is broken")
    return loaded


def _mapping(path: Path) -> dict[str, dict[str, str]]:
    """The two-level YAML of `mapping/`: names at the margin, `key: value` indented."""
    result: dict[str, dict[str, str]] = {}
    current: dict[str, str] = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise WorkspaceError(f"cannot read {path}: {error.strerror or error}") from error
    for line in lines:
        found = re.match(r"""(\s*)['"]?([\w-]+)['"]?\s*:\s*['"]?([\w-]*)['"]?\s*$""", line)
        if found is None:
            continue
        indent, key, value = found.groups()
        if indent:
            current[key] = value
        else:
            current = result.setdefault(key, {})
    return result
