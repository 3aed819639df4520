# SPDX-License-Identifier: Apache-2.0
"""The longest paths of a netlist, module by module: between registers and ports."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from qnnc.backends.timing.cells import OTHER, Delays, Parameters, delays_of, parameters_of
from qnnc.backends.timing.graph import (
    Bit,
    Cell,
    Graph,
    backward,
    follow,
    forward,
    graph_of,
    reached,
)
from qnnc.backends.timing.path import ModuleTiming, Path
from qnnc.backends.timing.wires import Wires

CellDelays = Callable[[str, Parameters], Delays]


def netlist_timing(
    netlist: Mapping[str, Any],
    top: str,
    wires: Wires | None = None,
    delays: CellDelays = delays_of,
) -> ModuleTiming:
    """The longest paths of a module and of those that it consists of.

    Args:
        netlist: as Yosys writes it in JSON, of cells that `cells.delays_of` knows.
        top: name of the module.
        wires: the model of wires.
        delays: those of the library's cells.

    Raises:
        ToolError: a cell or a pin is not known, or there is a loop without a register.
    """
    return _timing(netlist["modules"], top, wires or Wires(), delays, {})


def _timing(
    modules: Mapping[str, Any],
    name: str,
    wires: Wires,
    delays: CellDelays,
    known: dict[str, ModuleTiming],
) -> ModuleTiming:
    if name not in known:
        module, cells, inside = modules[name], {}, []
        for own, cell in module["cells"].items():
            kind = cell["type"]
            if _has_body(modules.get(kind)):
                timing = _timing(modules, kind, wires, delays, known)
                cells[own] = _of_module(own, timing)
                inside += [] if timing.inside is None else [timing.inside.inside(own)]
            else:
                cells[own] = _of_library(delays, kind, parameters_of(cell))
        known[name] = _of_graph(module, graph_of(module, cells, wires), inside)
    return known[name]


def _has_body(module: Mapping[str, Any] | None) -> bool:
    return module is not None and not {"blackbox", "whitebox"} & set(module["attributes"])


def _of_module(name: str, timing: ModuleTiming) -> Cell:
    through: dict[str, list[tuple[str, Path]]] = {}
    for (pin, out), path in timing.passing.items():
        through.setdefault(pin, []).append((out, path))
    return Cell(
        OTHER,
        {pin: path.inside(name) for pin, path in timing.leaving.items()},
        {pin: path.inside(name) for pin, path in timing.entering.items()},
        through,
        timing.pins,
    )


@lru_cache(maxsize=4096)
def _of_library(of: CellDelays, kind: str, parameters: Parameters) -> Cell:
    delays = of(kind, parameters)
    through: dict[str, list[tuple[str, Path]]] = {}
    for (pin, out), ns in delays.through.items():
        through.setdefault(pin, []).append((out, Path(ns, 1, "", "")))
    return Cell(
        delays.kind,
        {pin: Path(ns, 0, "", "") for pin, ns in delays.launch.items()},
        {pin: Path(ns, 0, "", "") for pin, ns in delays.setup.items()},
        through,
        {},
    )


def _of_graph(module: Mapping[str, Any], graph: Graph, inside: list[Path]) -> ModuleTiming:
    """What a module's graph says, beside the paths inside the modules that it consists of."""
    late = {bit: path.ns for bit, path in graph.starts.items()}
    before = forward(graph, late, graph.order)
    tails, after = backward(graph)
    rank = {bit: i for i, bit in enumerate(graph.order)}
    outputs = _ports(module, "output")
    leaving, entering, passing, pins = {}, {}, {}, {}
    for name, bits in outputs.items():
        last = _latest(bits, late)
        if last is not None:
            leaving[name] = _arriving(graph, before, last, Path(late[last], 0, "", name))
    for name, bits in _ports(module, "input").items():
        pins[name] = max((graph.pins.get(b, 0) for b in bits), default=0)
        first = _latest(bits, tails)
        if first is not None:
            at, levels = follow(after, first)
            end = graph.ends[at]
            entering[name] = Path(tails[first], levels + end.levels, name, end.end)
        for other, path in _passing(graph, bits, outputs, rank).items():
            passing[name, other] = Path(path.ns, path.levels, name, other)
    whole = {bit: late[bit] + end.ns for bit, end in graph.ends.items() if bit in late}
    if whole:
        last = max(whole, key=whole.__getitem__)
        end = graph.ends[last]
        inside.append(_arriving(graph, before, last, Path(whole[last], end.levels, "", end.end)))
    slowest = max(inside, key=lambda path: path.ns, default=None)
    return ModuleTiming(slowest, leaving, entering, passing, pins)


def _ports(module: Mapping[str, Any], direction: str) -> dict[str, list[Bit]]:
    return {
        name: [bit for bit in port["bits"] if isinstance(bit, int)]
        for name, port in module["ports"].items()
        if port["direction"] == direction
    }


def _latest(bits: Iterable[Bit], times: Mapping[Bit, float]) -> Bit | None:
    return max((b for b in bits if b in times), key=times.__getitem__, default=None)


def _arriving(graph: Graph, before: Mapping[Bit, tuple[Bit, int]], bit: Bit, rest: Path) -> Path:
    """The path that arrives at a net and goes on as `rest` says, whose time is that of all."""
    at, levels = follow(before, bit)
    start = graph.starts.get(at)
    if start is None:
        return Path(rest.ns, levels + rest.levels, "", rest.end)
    return Path(rest.ns, start.levels + levels + rest.levels, start.start, rest.end)


def _passing(
    graph: Graph, bits: Sequence[Bit], outputs: Mapping[str, Sequence[Bit]], rank: Mapping[Bit, int]
) -> dict[str, Path]:
    """Longest ways from an input to outputs, by output."""
    there = reached(graph, bits)
    ends = {name: [b for b in found if b in there] for name, found in outputs.items()}
    if not any(ends.values()):
        return {}
    late = dict.fromkeys(bits, 0.0)
    before = forward(graph, late, sorted(there & rank.keys(), key=rank.__getitem__))
    found = {}
    for name, there_ in ends.items():
        last = _latest(there_, late)
        if last is not None:
            found[name] = _arriving(graph, before, last, Path(late[last], 0, "", name))
    return found
