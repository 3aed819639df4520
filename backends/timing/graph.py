# SPDX-License-Identifier: Apache-2.0
"""The ways between the nets of one module, and the longest of them.

Every cell and net is looked at a fixed number of times, so that the time is linear in the netlist,
but for inputs from which there is a way to an output without a register: each of those takes a
pass over the nets that it reaches.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from qnnc.backends.timing.cells import CLOCKS, LUT
from qnnc.backends.timing.path import Path
from qnnc.backends.timing.wires import Wires
from qnnc.compiler.errors import ToolError

Bit = int


@dataclass(frozen=True)
class Cell:
    """A cell of a module: one of the library, or another module.

    Attributes:
        kind: what it is to the wires at its pins.
        launch: from its registers to an output.
        setup: from an input to its registers.
        through: from an input to outputs, by output.
        pins: those that an input stands for, where it is not a single pin.
    """

    kind: str
    launch: Mapping[str, Path]
    setup: Mapping[str, Path]
    through: Mapping[str, Sequence[tuple[str, Path]]]
    pins: Mapping[str, int]


@dataclass
class Graph:
    """Ways between nets; a net is its number, a bus of a cell's inputs a negative number.

    Attributes:
        ways: from a net: (net, ns, levels).
        ends: from a net: the slowest way to a register that reads it.
        starts: of a net that a register drives: the way out of it.
        pins: that a net drives.
        order: of nets, in which every way leads ahead.
    """

    ways: dict[Bit, list[tuple[Bit, float, int]]] = field(default_factory=dict)
    ends: dict[Bit, Path] = field(default_factory=dict)
    starts: dict[Bit, Path] = field(default_factory=dict)
    pins: dict[Bit, int] = field(default_factory=dict)
    order: list[Bit] = field(default_factory=list)


_NOTHING = Path(-1.0, 0, "", "")


def graph_of(module: Mapping[str, Any], cells: Mapping[str, Cell], wires: Wires) -> Graph:
    """The module as a graph.

    Args:
        module: as Yosys writes it in JSON.
        cells: its cells by name.

    Raises:
        ToolError: a pin is not known, or there is a loop without a register.
    """
    pins, drivers = _pins(module, cells)
    graph, names = Graph(pins=pins), _names(module)
    hub = 0
    for name, known in cells.items():
        cell = module["cells"][name]
        connections = cell["connections"]
        called = _called(names, name, cell)
        for pin, path in known.launch.items():
            for bit in connections.get(pin, ()):
                start = path.start or names.get(bit, called)
                graph.starts[bit] = replace(path, start=start)
        for pin, bits in connections.items():
            if cell["port_directions"][pin] != "input" or pin in CLOCKS:
                continue
            hub -= 1
            for index, bit in enumerate(bits):
                if not isinstance(bit, int):
                    continue
                single = f"{pin}[{index}]" if f"{pin}[{index}]" in known.through else pin
                outs = known.through.get(single, ())
                driver = drivers.get(bit)
                wire = 0.0 if driver is None else wires.delay(driver, known.kind, single, pins[bit])
                if pin in known.setup:
                    path = known.setup[pin]
                    if wire + path.ns > graph.ends.get(bit, _NOTHING).ns:
                        end = path.end or f"{called} {pin}"
                        end = called if end == f"{called} D" else end
                        graph.ends[bit] = Path(wire + path.ns, path.levels, "", end)
                elif not outs and pin not in known.pins and known.kind != LUT:
                    raise ToolError(f"the timing model does not know {cell['type']}.{pin}")
                ways = graph.ways.setdefault(bit, [])
                if outs and len(bits) > 1 and single == pin:
                    if hub not in graph.ways:  # one place where the bits of a bus meet
                        graph.ways[hub] = _ways(connections, outs, 0.0)
                    ways.append((hub, wire, 0))
                else:
                    ways += _ways(connections, outs, wire)
    graph.order = in_order(graph, names)
    return graph


def _ways(
    connections: Mapping[str, list[Any]], outs: Iterable[tuple[str, Path]], wire: float
) -> list[tuple[Bit, float, int]]:
    """To the nets at outputs such as "O[2]" or "P"."""
    found = []
    for out, path in outs:
        name, _, rest = out.partition("[")
        bits = connections.get(name, [])
        if rest:
            index = int(rest[:-1])
            bits = bits[index : index + 1]
        found += [(bit, wire + path.ns, path.levels) for bit in bits if isinstance(bit, int)]
    return found


def _pins(
    module: Mapping[str, Any], cells: Mapping[str, Cell]
) -> tuple[dict[Bit, int], dict[Bit, str]]:
    """How many pins each net drives, an output of the module being one; and the kind of what
    drives it, unless that is an input of the module."""
    pins: dict[Bit, int] = {}
    drivers: dict[Bit, str] = {}
    for name, known in cells.items():
        cell = module["cells"][name]
        for pin, bits in cell["connections"].items():
            if cell["port_directions"][pin] == "input":
                more = known.pins.get(pin, 1)
                for bit in bits:
                    pins[bit] = pins.get(bit, 0) + more
            else:
                drivers.update(dict.fromkeys(bits, known.kind))
    for port in module["ports"].values():
        if port["direction"] == "output":
            for bit in port["bits"]:
                pins[bit] = pins.get(bit, 0) + 1
    return pins, drivers


def _names(module: Mapping[str, Any]) -> dict[Bit, str]:
    """The shortest name of each net that the source gives it."""
    found: dict[Bit, str] = {}
    named = [(n, net["bits"]) for n, net in module["netnames"].items() if not net["hide_name"]]
    for name, bits in sorted(named, key=lambda item: (item[0].count("."), len(item[0]))):
        for index, bit in enumerate(bits):
            if isinstance(bit, int) and bit not in found:
                found[bit] = f"{name}[{index}]" if len(bits) > 1 else name
    return found


def _called(names: Mapping[Bit, str], name: str, cell: Mapping[str, Any]) -> str:
    """The signal that a register holds; a memory's own name; the type if it has none."""
    bits = cell["connections"].get("Q", ())
    if len(bits) == 1 and bits[0] in names:
        return names[bits[0]]
    return str(cell["type"]) if name.startswith("$") else name


def in_order(graph: Graph, names: Mapping[Bit, str]) -> list[Bit]:
    """Nets such that every way leads from an earlier to a later one.

    Raises:
        ToolError: there is a loop; `names` are those of nets for its message.
    """
    count: dict[Bit, int] = {}
    for ways in graph.ways.values():
        for to, _, _ in ways:
            count[to] = count.get(to, 0) + 1
    ready = [bit for bit in graph.ways if bit not in count]
    order = []
    while ready:
        bit = ready.pop()
        order.append(bit)
        for to, _, _ in graph.ways.get(bit, ()):
            count[to] -= 1
            if not count[to]:
                ready.append(to)
                del count[to]
    if count:
        name = next((names[bit] for bit in count if bit in names), "that has no name")
        raise ToolError(f"there is a loop without a register through the signal {name}")
    return order


Step = tuple[Bit, int]
"""The next net of a way, and the levels to it."""


def forward(graph: Graph, late: dict[Bit, float], order: Iterable[Bit]) -> dict[Bit, Step]:
    """Arrival times from those in `late` on, put there; and where the latest comes from."""
    before: dict[Bit, Step] = {}
    for bit in order:
        if bit not in late:
            continue
        now = late[bit]
        for to, ns, levels in graph.ways.get(bit, ()):
            if now + ns > late.get(to, -1.0):
                late[to] = now + ns
                before[to] = bit, levels
    return before


def backward(graph: Graph) -> tuple[dict[Bit, float], dict[Bit, Step]]:
    """Longest way from each net to a register, and the first step of it."""
    tails = {bit: path.ns for bit, path in graph.ends.items()}
    after: dict[Bit, Step] = {}
    for bit in reversed(graph.order):
        for to, ns, levels in graph.ways.get(bit, ()):
            if to in tails and ns + tails[to] > tails.get(bit, -1.0):
                tails[bit] = ns + tails[to]
                after[bit] = to, levels
    return tails, after


def follow(steps: Mapping[Bit, Step], bit: Bit) -> Step:
    """Where steps lead to from a net, and the levels on the way."""
    levels = 0
    while bit in steps:
        bit, passed = steps[bit]
        levels += passed
    return bit, levels


def reached(graph: Graph, bits: Iterable[Bit]) -> set[Bit]:
    """Nets that ways lead to from some nets, those included."""
    found = set(bits)
    waiting = list(found)
    while waiting:
        for to, _, _ in graph.ways.get(waiting.pop(), ()):
            if to not in found:
                found.add(to)
                waiting.append(to)
    return found
