# SPDX-License-Identifier: Apache-2.0
"""From frames back to features: the disassembler, over a prjxray database.

It reads the database's files by itself, so that it does not inherit a mistake of the assembler.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from qnnc.backends.bitstream.prove.packets import Frames
from qnnc.compiler.errors import WorkspaceError

LOGIC, CONTENTS = "CLB_IO_CLK", "BLOCK_RAM"
_SUFFIX = {LOGIC: "", CONTENTS: ".block_ram"}
BITS = 32 * 101
_CHECKED = slice(50 * 32, 50 * 32 + 13)
"""The frame's own check bits, which belong to no feature."""

Features = dict[str, int]
"""Of one tile: features that are on, with their value (the lowest address in bit 0)."""


class Block(NamedTuple):
    """Where a tile's bits lie on one bus: from which frame, how many, from which bit, how many."""

    frame: int
    frames: int
    offset: int
    bits: int


class Rule(NamedTuple):
    """A feature, or one address of it: bits (frame · 4096 + bit) that are set, and clear."""

    name: str
    address: int
    ones: frozenset[int]
    zeros: frozenset[int]


@dataclass
class Decoded:
    """All features of a device's frames.

    Attributes:
        tiles: features of each tile that has any.
        set_bits: how many bits are set, check bits left out.
        unexplained: (frame, bit, tiles that lie there) of bits that no feature explains.
    """

    tiles: dict[str, Features] = field(default_factory=dict)
    set_bits: int = 0
    unexplained: list[tuple[int, int, list[str]]] = field(default_factory=list)

    @property
    def count(self) -> int:
        """How many features are on."""
        return sum(map(len, self.tiles.values()))


def read_json(path: Path) -> Any:
    """A file of the database; raises WorkspaceError."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WorkspaceError(f"cannot read {path} of the prjxray database: {error}") from error


class BitDatabase:
    """The part of a prjxray database that says what bits mean.

    Args:
        root: family folder.
        part: such as "xc7z020clg400-1".
        fabric: folder of the device under `root`.
    """

    def __init__(self, root: Path, part: str, fabric: str) -> None:
        self.root, self.part, self.fabric = root, part, fabric
        self._rules: dict[tuple[str, str], dict[int, list[Rule]]] = {}
        self._of_zeros: dict[str, list[str]] = {}
        self._known: dict[str, frozenset[str]] = {}

    @cached_property
    def grid(self) -> dict[str, Any]:
        """tilegrid.json."""
        grid: dict[str, Any] = read_json(self.root / self.fabric / "tilegrid.json")
        return grid

    @cached_property
    def _part(self) -> Any:
        return read_json(self.root / self.part / "part.json")

    @property
    def idcode(self) -> int:
        """Of the device."""
        return int(self._part["idcode"])

    @cached_property
    def rows(self) -> list[list[int]]:
        """Frame addresses, a list for each row: bus, then half, then row, then column."""
        rows = []
        for bus, block_type in ((LOGIC, 0), (CONTENTS, 1)):
            for half in (0, 1):
                region = self._part["global_clock_regions"]["bottom" if half else "top"]["rows"]
                for row in sorted(map(int, region)):
                    buses = region[str(row)]["configuration_buses"]
                    if bus not in buses:
                        continue
                    columns = buses[bus]["configuration_columns"]
                    counts = {int(c): int(v["frame_count"]) for c, v in columns.items()}
                    start = block_type << 23 | half << 22 | row << 17
                    rows.append(
                        [start | c << 7 | m for c in sorted(counts) for m in range(counts[c])]
                    )
        return rows

    @cached_property
    def numbers(self) -> dict[int, int]:
        """Number of each frame by its address."""
        return {address: n for n, address in enumerate(a for row in self.rows for a in row)}

    def blocks(self, tile: str) -> Iterator[tuple[str, Block, str, dict[str, str]]]:
        """Where a tile has bits: bus, place, tile type of its features, and what its sites are
        called there (prjxray describes some tile types by others).

        Raises:
            WorkspaceError: the tile lies outside of the part.
        """
        entry = self.grid[tile]
        for bus, bits in entry.get("bits", {}).items():
            alias = bits.get("alias") or {}
            kind = str(alias.get("type", entry["type"]))
            first = int(bits["offset"]) - int(alias.get("start_offset", 0))
            frame = self.numbers.get(int(bits["baseaddr"], 16))
            if frame is None:
                raise WorkspaceError(
                    f"tile {tile} of the prjxray database lies outside of the part"
                )
            sites = {str(there): str(own) for own, there in alias.get("sites", {}).items()}
            words = int(bits["words"])
            yield bus, Block(frame, int(bits["frames"]), 32 * first, 32 * words), kind, sites

    def rules(self, kind: str, bus: str) -> dict[int, list[Rule]]:
        """Features of a tile type by one of the bits that they set."""
        key = kind, bus
        if key not in self._rules:
            self._rules[key] = self._read(kind, bus)
        return self._rules[key]

    def _read(self, kind: str, bus: str) -> dict[int, list[Rule]]:
        path = self.root / f"segbits_{kind.lower()}{_SUFFIX[bus]}.db"
        result: dict[int, list[Rule]] = {}
        if not path.is_file():
            return result
        for line in path.read_text(encoding="utf-8").splitlines():
            name, *bits = line.split()
            name = name.partition(".")[2]
            index = 0
            if name.endswith("]"):
                name, _, number = name[:-1].rpartition("[")
                index = int(number)
            ones = frozenset(_position(b) for b in bits if b[0] != "!")
            zeros = frozenset(_position(b[1:]) for b in bits if b[0] == "!")
            if ones:
                result.setdefault(min(ones), []).append(Rule(name, index, ones, zeros))
            else:
                self._of_zeros.setdefault(kind, []).append(name)
        return result

    def known(self, tile: str) -> frozenset[str]:
        """Names of all features of a tile that set a bit, as FASM has them."""
        places = list(self.blocks(tile))
        key = repr([(bus, kind, sites) for bus, _, kind, sites in places])
        if key not in self._known:
            names = set()
            for bus, _, kind, sites in places:
                for rules in self.rules(kind, bus).values():
                    names |= {own_name(rule.name, sites) for rule in rules}
            self._known[key] = frozenset(names)
        return self._known[key]

    def of_zeros(self, kind: str) -> list[str]:
        """Features of a tile type that set no bit: on while none that excludes them is."""
        self.rules(kind, LOGIC)
        return self._of_zeros.get(kind, [])


def own_name(name: str, sites: Mapping[str, str]) -> str:
    """A feature of an aliased tile type under the name that the tile's own site gives it."""
    site, dot, rest = name.partition(".")
    return f"{sites[site]}.{rest}" if dot and site in sites else name


def _position(text: str) -> int:
    frame, _, bit = text.partition("_")
    return int(frame) << 12 | int(bit)


def decode(frames: Frames, database: BitDatabase) -> Decoded:
    """All features that are on. A feature is on if all its bits are as it says, and none with
    more bits of its own kind is."""
    bits = np.unpackbits(frames.astype("<u4").view(np.uint8), axis=1, bitorder="little")
    bits[:, _CHECKED] = 0
    result = Decoded(set_bits=int(bits.sum()))
    explained = np.zeros_like(bits)
    for tile in database.grid:
        for bus, block, kind, sites in database.blocks(tile):
            part = bits[block.frame : block.frame + block.frames]
            part = part[:, max(block.offset, 0) : block.offset + block.bits]
            if not part.any():
                continue
            shift = max(-block.offset, 0)
            here = {int(f) << 12 | int(b) + shift for f, b in np.argwhere(part)}
            used: set[int] = set()
            found: Features = {}
            for name, value, ones in _matching(here, database.rules(kind, bus)):
                used |= ones
                own = own_name(name, sites)
                found[own] = found.get(own, 0) | value
            if found:
                result.tiles.setdefault(tile, {}).update(found)
            for position in used:
                explained[block.frame + (position >> 12), block.offset + (position & 4095)] = 1
    left = np.argwhere(bits & ~explained & 1)
    if len(left):
        places = tiles_at(((int(f), int(b)) for f, b in left), database)
        result.unexplained = [(frame, bit, tiles) for (frame, bit), tiles in places.items()]
    return result


def _matching(
    here: set[int], rules: dict[int, list[Rule]]
) -> Iterator[tuple[str, int, frozenset[int]]]:
    for position in here:
        for rule in rules.get(position, ()):
            if rule.ones <= here and not (rule.zeros & here):
                yield rule.name, 1 << rule.address, rule.ones


def tiles_at(
    bits: Iterable[tuple[int, int]], database: BitDatabase
) -> dict[tuple[int, int], list[str]]:
    """Names of the tiles that have features at each bit (frame, bit)."""
    found: dict[tuple[int, int], list[str]] = {place: [] for place in bits}
    by_frame: dict[int, list[int]] = {}
    for frame, bit in found:
        by_frame.setdefault(frame, []).append(bit)
    for tile in database.grid if found else ():
        for _, block, _, _ in database.blocks(tile):
            for frame in range(block.frame, block.frame + block.frames):
                for bit in by_frame.get(frame, ()):
                    if block.offset <= bit < block.offset + block.bits:
                        found[frame, bit].append(tile)
    return found
