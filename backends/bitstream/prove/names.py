# SPDX-License-Identifier: Apache-2.0
"""Where a bit is, and which net of the design it belongs to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from qnnc.backends.bitstream.prove.features import BitDatabase, Features
from qnnc.backends.bitstream.prove.routing import Fault
from qnnc.backends.bitstream.prove.wires import Wires

_ROUTE = re.compile(r"# routing for net (.+)")
_ON = re.compile(r"([^.\s]+)\.([^\s\[=]+)(?:\[(\d+)(?::(\d+))?\])?(?:\s*=\s*(\S+))?\s*$")
_SLICE = re.compile(r"(SLICE[LM])_(X[01])\.([ABCD])")
_RAM = re.compile(r"RAMB18_Y([01])\.")


def recorded(
    fasm: Iterable[str], database: BitDatabase
) -> tuple[dict[str, Features], dict[str, str]]:
    """What FASM says is on, without features that have no bits; and nets of its pips.

    Returns:
        features of each tile, and the net of each "TILE.TARGET.SOURCE" that has a comment.
    """
    tiles: dict[str, Features] = {}
    nets: dict[str, str] = {}
    net = ""
    for line in fasm:
        text = line.strip()
        if not text or text.startswith("#"):
            found = _ROUTE.match(text)
            net = found[1].strip() if found else ""
            continue
        on = _ON.match(text)
        if on is None:
            continue
        tile, name, high, low, value = on.groups()
        if net:
            nets[f"{tile}.{name}"] = net
        number = _value(value)
        shift = int(low if low is not None else high or 0)
        if tile in database.grid and number and name in database.known(tile):
            here = tiles.setdefault(tile, {})
            here[name] = here.get(name, 0) | number << shift
    return tiles, nets


def route_names(nets: Mapping[str, str], wires: Wires) -> dict[int, str]:
    """Nets by node, from the nets of pips."""
    names: dict[int, str] = {}
    for pip, net in nets.items():
        tile, _, name = pip.partition(".")
        target, _, source = name.partition(".")
        if tile in wires.database.grid and (target, source) in wires.of(tile).pips:
            names[wires.node(tile, target)] = net
            names[wires.node(tile, source)] = net
    return names


def _value(text: str | None) -> int:
    if text is None:
        return 1
    _, quote, digits = text.partition("'")
    if not quote:
        return int(text)
    return int(digits[1:].replace("_", ""), {"b": 2, "h": 16, "d": 10, "o": 8}[digits[0]])


def differences(
    found: Mapping[str, Features],
    wanted: Mapping[str, Features],
    nets: Mapping[str, str],
    lookup: Lookup | None,
) -> list[Fault]:
    """Features that are on in the bits alone, in the record alone, or with another value."""
    faults = []
    for tile in sorted({*found, *wanted}):
        have, want = found.get(tile, {}), wanted.get(tile, {})
        for name in sorted({*have, *want}):
            a, b = have.get(name, 0), want.get(name, 0)
            if a == b:
                continue
            changed = bin(a ^ b).count("1")
            if not b:
                what = f"{name} is on in the bits and not in the record"
            elif not a:
                what = f"{name} is off in the bits and on in the record"
            else:
                what = f"{name} differs from the record in {changed} bits"
            net = nets.get(f"{tile}.{name}", "")
            if not net and lookup is not None:
                net = lookup.net(tile, name)
            faults.append(Fault(_kind(name), f"{tile}.{name}", what, net))
    return faults


def _kind(name: str) -> str:
    if ".INIT" in name or name.startswith("INIT"):
        return "contents" if name.startswith("RAMB18") else "LUT"
    return "pip" if name.count(".") == 1 and not _SLICE.match(name) else "setting"


class Lookup:
    """The net that a feature has to do with, by the routes around it."""

    def __init__(self, wires: Wires, names: Mapping[int, str]) -> None:
        self.wires, self.names = wires, names

    def net(self, tile: str, feature: str) -> str:
        """The name, or nothing."""
        target, dot, source = feature.partition(".")
        if dot and (target, source) in self.wires.of(tile).pips:
            return self._named(tile, (target, source))
        part = _SLICE.match(feature)
        if part:
            kind, column, letter = part.groups()
            pins = [letter, f"{letter}Q", f"{letter}MUX", "COUT"]
            keys = [(f"SLICE_{column}Y0", kind, pin) for pin in pins]
        elif ram := _RAM.match(feature):
            kind = "RAMB18E1" if ram[1] == "1" else "FIFO18E1"
            pins = [f"{bus}{i}" for bus in ("DOADO", "DOBDO") for i in range(16)]
            keys = [(f"RAMB18_X0Y{ram[1]}", kind, pin) for pin in pins]
        else:
            return ""
        wires = self.wires.of(tile).wires
        return self._named(tile, tuple(wires[key] for key in keys if key in wires))

    def _named(self, tile: str, wires: Iterable[str]) -> str:
        found = (self.names.get(self.wires.node(tile, wire)) for wire in wires)
        return next((name for name in found if name), "")
