# SPDX-License-Identifier: Apache-2.0
"""Rewriting a flat netlist into what nextpnr takes and routes well.

nextpnr has no LUT of two outputs. It hangs a LUT in front of every input of a CARRY4, and routes a
constant to it; and it routes whatever is tied to a constant, which takes a good part of its time.
So nothing stays tied that need not be.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, MutableMapping
from typing import Any

Cell = dict[str, Any]
Cells = MutableMapping[str, Cell]

_LUT = re.compile(r"LUT([1-6])$")
_WRITES = ("WEA", "WEBWE")
_WRITTEN = ("DIADI", "DIBDI", "DIPADIP", "DIPBDIP")


def adapt(netlist: Mapping[str, Any], top: str, keep: Mapping[str, object]) -> None:
    """Rewrite a flat netlist in place; what it computes stays.

    Args:
        netlist: as Yosys writes JSON.
        keep: names of LUTs that hold exchangeable contents and stay as they are.
    """
    module = netlist["modules"][top]
    cells: Cells = module["cells"]
    fresh = itertools.count(1 + _highest_bit(module))
    used = _used_bits(module)
    for name in list(cells):
        kind = cells[name]["type"]
        if kind == "LUT6_2":
            _split(name, cells.pop(name), cells)
        elif kind == "CARRY4":
            _release_positions(cells[name], used)
            _drive_carry(name, cells[name], cells, fresh)
        elif kind == "RAMB18E1":
            _release_data(cells[name])
        elif _LUT.match(kind) and name not in keep:
            _fold(cells[name])


def _highest_bit(module: Mapping[str, Any]) -> int:
    nets = itertools.chain.from_iterable(net["bits"] for net in module["netnames"].values())
    pins = itertools.chain.from_iterable(
        itertools.chain.from_iterable(cell["connections"].values())
        for cell in module["cells"].values()
    )
    return max((bit for bit in itertools.chain(nets, pins) if isinstance(bit, int)), default=1)


def _used_bits(module: Mapping[str, Any]) -> set[Any]:
    """Nets with a reader."""
    used: set[Any] = set()
    for port in module["ports"].values():
        used.update(port["bits"])
    for cell in module["cells"].values():
        for port, bits in cell["connections"].items():
            if cell["port_directions"].get(port) != "output":
                used.update(bits)
    return used


def _table(cell: Cell, size: int) -> str:
    """INIT, the lowest bit first."""
    return str(cell["parameters"]["INIT"])[::-1].ljust(1 << size, "0")


def _lut(table: str, inputs: list[Any], output: Any, attributes: Any) -> Cell:
    """A LUT for a table, without the inputs that are constant or that it does not look at."""
    index = 0
    while index < len(inputs):
        step = 1 << index
        halves = ["", ""]
        for start in range(0, len(table), 2 * step):
            halves[0] += table[start : start + step]
            halves[1] += table[start + step : start + 2 * step]
        if inputs[index] in ("0", "1"):
            table = halves[int(inputs[index])]
        elif halves[0] == halves[1]:
            table = halves[0]
        else:
            index += 1
            continue
        inputs = inputs[:index] + inputs[index + 1 :]
    if not inputs:  # nextpnr takes a LUT that has no input at all: a constant beside its user
        table = 2 * table
    size = max(1, len(inputs))
    pins = {f"I{i}": [bit] for i, bit in enumerate(inputs)}
    return {
        "hide_name": 0,
        "type": f"LUT{size}",
        "parameters": {"INIT": table[::-1]},
        "attributes": attributes,
        "port_directions": {**dict.fromkeys(pins, "input"), "O": "output"},
        "connections": {**pins, "O": [output]},
    }


def _fold(cell: Cell) -> None:
    """Leave constants out of a LUT."""
    size = int(cell["type"][3:])
    pins = cell["connections"]
    inputs = [pins[f"I{i}"][0] for i in range(size)]
    if any(bit in ("0", "1") for bit in inputs):
        cell.update(_lut(_table(cell, size), inputs, pins["O"][0], cell["attributes"]))


def _split(name: str, cell: Cell, cells: Cells) -> None:
    """Two LUTs for one of two outputs; the packer puts them together again where it can."""
    table, pins = _table(cell, 6), cell["connections"]
    inputs = [pins[f"I{i}"][0] for i in range(6)]
    for port, part, count in (("O5", table[:32], 5), ("O6", table, 6)):
        if pins.get(port):
            cells[f"{name}.{port.lower()}"] = _lut(
                part, inputs[:count], pins[port][0], cell["attributes"]
            )


def _release_positions(cell: Cell, used: set[Any]) -> None:
    """The positions of a CARRY4 after the last of which anything is used need no DI."""
    pins = cell["connections"]
    for index in reversed(range(4)):
        if any(pins.get(port, 4 * ["x"])[index] in used for port in ("O", "CO")):
            return
        pins["DI"][index] = "x"


def _drive_carry(name: str, cell: Cell, cells: Cells, fresh: itertools.count[int]) -> None:
    """LUTs without inputs for the constants at a CARRY4."""
    for port in ("S", "DI"):
        bits = cell["connections"].get(port, [])
        for index, bit in enumerate(bits):
            if bit in ("0", "1"):
                net = next(fresh)
                cells[f"{name}.{port.lower()}{index}"] = _lut(bit, [], net, {})
                bits[index] = net


def _release_data(cell: Cell) -> None:
    """A memory that is never written has no need of data."""
    pins = cell["connections"]
    if all(bit == "0" for port in _WRITES for bit in pins.get(port, [])):
        for port in _WRITTEN:
            pins.pop(port, None)
            cell["port_directions"].pop(port, None)
