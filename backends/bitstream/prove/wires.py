# SPDX-License-Identifier: Apache-2.0
"""The device's wires: which tile's wires are one node, and what can drive one.

`tileconn.json` says which wires of neighbouring tiles touch, `tile_type_KIND.json` which pips and
sites a tile has, `ppips_KIND.db` which pips need no bit.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from qnnc.backends.bitstream.prove.features import BitDatabase, read_json
from qnnc.compiler.errors import WorkspaceError

Wire = tuple[str, str]
"""A tile and a wire of it."""


class SitePin(NamedTuple):
    """A pin of a site: tile, site ("SLICE_X0Y0", with places relative to the tile), type, pin."""

    tile: str
    site: str
    kind: str
    pin: str


class Pip(NamedTuple):
    """A connection that can be made, in one tile, from a wire to a wire."""

    tile: str
    target: str
    source: str


@dataclass
class TileType:
    """What a tile type has.

    Attributes:
        pips: (target, source) of every pip, both ways where it has no direction.
        pins: site, site type and pin of each wire that is a site's.
        wires: wire of each (site, site type, pin).
        always: sources of a target that are connected without a bit, or while no bit of another
            is set.
        default: targets that read 1 while nothing drives them.
    """

    pips: set[tuple[str, str]] = field(default_factory=set)
    pins: dict[str, list[tuple[str, str, str]]] = field(default_factory=dict)
    wires: dict[tuple[str, str, str], str] = field(default_factory=dict)
    always: dict[str, list[str]] = field(default_factory=dict)
    default: set[str] = field(default_factory=set)


class Wires:
    """Nodes of a device, found when they are asked for.

    Raises:
        WorkspaceError: the database has no connectivity.
    """

    def __init__(self, database: BitDatabase) -> None:
        self.database = database
        self.folder = database.root / database.fabric
        if not has_connectivity(database.root, database.fabric):
            raise WorkspaceError(
                f"{database.root} does not say how wires are connected ({database.fabric}/"
                "tileconn.json and tile_type_*.json); a whole prjxray database has these files"
            )
        self._types: dict[str, TileType] = {}
        self._node_of: dict[Wire, int] = {}
        self.nodes: list[list[Wire]] = []

    @cached_property
    def _places(self) -> dict[str, tuple[int, int, str]]:
        grid = self.database.grid.items()
        return {n: (int(e["grid_x"]), int(e["grid_y"]), str(e["type"])) for n, e in grid}

    @cached_property
    def _tile_at(self) -> dict[tuple[int, int], str]:
        return {(x, y): name for name, (x, y, _) in self._places.items()}

    @cached_property
    def _touching(self) -> dict[tuple[str, str], list[tuple[int, int, str, str]]]:
        """By tile type and wire: step to the other tile, its type and its wire."""
        result: dict[tuple[str, str], list[tuple[int, int, str, str]]] = {}
        for entry in read_json(self.folder / "tileconn.json"):
            dx, dy = entry["grid_deltas"]
            first, second = entry["tile_types"]
            for one, other in entry["wire_pairs"]:
                result.setdefault((first, one), []).append((dx, dy, second, other))
                result.setdefault((second, other), []).append((-dx, -dy, first, one))
        return result

    def kind(self, tile: str) -> str:
        """A tile's type."""
        return self._places[tile][2]

    def type(self, kind: str) -> TileType:
        """What a tile type has."""
        if kind not in self._types:
            self._types[kind] = _read_type(self.database, kind)
        return self._types[kind]

    def of(self, tile: str) -> TileType:
        """What a tile has."""
        return self.type(self.kind(tile))

    def node(self, tile: str, wire: str) -> int:
        """The number of the node that a wire is part of."""
        found = self._node_of.get((tile, wire))
        if found is not None:
            return found
        number = len(self.nodes)
        members: list[Wire] = [(tile, wire)]
        self._node_of[tile, wire] = number
        for here, name in members:  # grows on the way
            x, y, kind = self._places[here]
            for dx, dy, other_kind, other in self._touching.get((kind, name), ()):
                there = self._tile_at.get((x + dx, y + dy))
                if there is None or self._places[there][2] != other_kind:
                    continue
                if (there, other) not in self._node_of:
                    self._node_of[there, other] = number
                    members.append((there, other))
        self.nodes.append(members)
        return number

    def pin_node(self, tile: str, site: str, kind: str, pin: str) -> int | None:
        """The node at a site's pin, or None if the site has no such pin."""
        wire = self.of(tile).wires.get((site, kind, pin))
        return None if wire is None else self.node(tile, wire)

    def outputs(self, node: int) -> list[SitePin]:
        """Output pins of sites that drive a node."""
        found = []
        for tile, wire in self.nodes[node]:
            for site, kind, pin in self.of(tile).pins.get(wire, ()):
                if pin in self._outputs(kind):
                    found.append(SitePin(tile, site, kind, pin))
        return found

    def always(self, node: int) -> list[Pip]:
        """Pips into a node that are connected without a bit."""
        return [
            Pip(tile, wire, source)
            for tile, wire in self.nodes[node]
            for source in self.of(tile).always.get(wire, ())
        ]

    def reads_one(self, node: int) -> bool:
        """The node is 1 while nothing drives it."""
        return any(wire in self.of(tile).default for tile, wire in self.nodes[node])

    def _outputs(self, kind: str) -> frozenset[str]:
        if kind not in self._directions:
            path = self.database.root / f"site_type_{kind}.json"
            pins = read_json(path)["site_pins"] if path.is_file() else {}
            names = (name for name, pin in pins.items() if pin["direction"] != "IN")
            if kind == "FIFO18E1":
                names = (_as_memory(name) for name in names)
            self._directions[kind] = frozenset(names)
        return self._directions[kind]

    @cached_property
    def _directions(self) -> dict[str, frozenset[str]]:
        return {}


_MEMORY = {
    "RDCLK": "CLKARDCLK", "WRCLK": "CLKBWRCLK", "RDEN": "ENARDEN", "WREN": "ENBWREN",
    "REGCE": "REGCEAREGCE", "RST": "RSTRAMARSTRAM", "RSTREG": "RSTREGARSTREG",
    "RDRCLK": "REGCLKARDRCLK",
}  # fmt: skip


def _as_memory(pin: str) -> str:
    """A FIFO18E1's pin under the name that it has where the site is used as a RAMB18E1."""
    found = re.fullmatch(r"(DOP?)(\d+)", pin)
    if found is None:
        return _MEMORY.get(pin, pin)
    number, half = int(found[2]), 16 if found[1] == "DO" else 2
    names = ("DOADO", "DOBDO") if half == 16 else ("DOPADOP", "DOPBDOP")
    return f"{names[number // half]}{number % half}"


def has_connectivity(root: Path, fabric: str) -> bool:
    """The database says how wires are connected."""
    return (root / fabric / "tileconn.json").is_file() and (root / "tile_type_INT_L.json").is_file()


def _read_type(database: BitDatabase, kind: str) -> TileType:
    result, root = TileType(), database.root
    path = root / f"tile_type_{kind}.json"
    if not path.is_file():
        return result
    data = read_json(path)
    for pip in data["pips"].values():
        result.pips.add((pip["dst_wire"], pip["src_wire"]))
        if pip["is_directional"] == "0":
            result.pips.add((pip["src_wire"], pip["dst_wire"]))
    for site in data["sites"]:
        name = f"{site['prefix']}_{site['name']}"
        for pin, at in site["site_pins"].items():
            if at is None:
                continue
            wire = at["wire"] if isinstance(at, dict) else at
            own = (name, site["type"], _as_memory(pin) if site["type"] == "FIFO18E1" else pin)
            if own not in result.pins.setdefault(wire, []):
                result.pins[wire].append(own)
            result.wires[own] = wire
    ppips = root / f"ppips_{kind.lower()}.db"
    for line in ppips.read_text(encoding="utf-8").splitlines() if ppips.is_file() else ():
        found = re.match(r"\w+\.(\w+)\.(\w+)\s+(\w+)", line)
        if found is None:
            continue
        target, source, when = found.groups()
        if when == "always":
            result.always.setdefault(target, []).append(source)
        elif when == "default":
            result.default.add(target)
    for name in database.of_zeros(kind):
        target, _, source = name.partition(".")
        if (target, source) in result.pips:
            result.always.setdefault(target, []).append(source)
    return result
