# SPDX-License-Identifier: Apache-2.0
"""The longest path of every node of a stitched accelerator, paths between nodes included."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from qnnc.backends.timing.cells import delays_of
from qnnc.backends.timing.graph import Bit, Graph, follow, forward, in_order
from qnnc.backends.timing.path import ModuleTiming, Path
from qnnc.backends.timing.wires import Wires

AHEAD, BACK = ("tdata", "tvalid"), ("tready",)
"""Signals of a stream that go with the data, and against it."""
_OUTSIDE = delays_of("FDRE", ())


@dataclass(frozen=True)
class Node:
    """An instance in the accelerator.

    Attributes:
        name: of the instance.
        timing: of its module.
        streams: name of the stream at each of its ports that has one.
    """

    name: str
    timing: ModuleTiming
    streams: Mapping[str, str]


def accelerator_paths(nodes: Sequence[Node], wires: Wires | None = None) -> list[Path | None]:
    """The longest path that ends in each node, wherever it begins; None for one without registers.

    What lies around the accelerator is taken for registers right at its ports.

    Raises:
        ToolError: there is a loop through several nodes without a register.
    """
    model = wires or Wires()
    bits = {
        (index, port): bit
        for bit, (index, port) in enumerate(
            (index, port) for index, node in enumerate(nodes) for port in _ports(node.timing)
        )
    }
    graph = Graph()
    for index, node in enumerate(nodes):
        timing = node.timing
        for port, path in timing.leaving.items():
            graph.starts[bits[index, port]] = path.inside(node.name)
        for port, path in timing.entering.items():
            graph.ends[bits[index, port]] = path.inside(node.name)
        for (port, out), path in timing.passing.items():
            graph.ways.setdefault(bits[index, port], []).append(
                (bits[index, out], path.ns, path.levels)
            )
    driven = set()
    for source, target in _crossings(nodes):
        if source in bits and target in bits:
            pins = nodes[target[0]].timing.pins.get(target[1], 1)
            graph.ways.setdefault(bits[source], []).append((bits[target], model.routed(pins), 0))
            driven.add(bits[target])
    for (index, port), bit in bits.items():
        read = nodes[index].timing.pins.get(port)
        if read is not None and bit not in driven:
            graph.starts[bit] = Path(_OUTSIDE.launch["Q"] + model.routed(read), 0, port, "")
        elif read is None and bit not in graph.ways:
            ns = model.routed(1) + _OUTSIDE.setup["D"]
            graph.ends[bit] = Path(ns, 0, "", f"{nodes[index].name}.{port}")
    graph.order = in_order(graph, {})
    found = _longest(nodes, graph, {bit: index for (index, _), bit in bits.items()})
    factor = model.crowded if len(nodes) > 1 else 1.0
    return [path and replace(path, ns=factor * path.ns) for path in found]


def _ports(timing: ModuleTiming) -> set[str]:
    through = {port for pair in timing.passing for port in pair}
    return {*timing.leaving, *timing.entering, *through}


def _crossings(nodes: Sequence[Node]) -> Iterator[tuple[tuple[int, str], tuple[int, str]]]:
    """Ports of nodes, and the ports of other nodes that they drive."""
    readers = {
        stream: (index, port)
        for index, node in enumerate(nodes)
        for port, stream in node.streams.items()
        if port.startswith("s_axis")
    }
    for index, node in enumerate(nodes):
        for port, stream in node.streams.items():
            if port.startswith("m_axis") and stream in readers:
                other, there = readers[stream]
                for signal in AHEAD:
                    yield (index, f"{port}_{signal}"), (other, f"{there}_{signal}")
                for signal in BACK:
                    yield (other, f"{there}_{signal}"), (index, f"{port}_{signal}")


def _longest(nodes: Sequence[Node], graph: Graph, owner: Mapping[Bit, int]) -> list[Path | None]:
    found = [
        None if node.timing.inside is None else node.timing.inside.inside(node.name)
        for node in nodes
    ]
    late = {bit: path.ns for bit, path in graph.starts.items()}
    before = forward(graph, late, graph.order)
    for bit, end in graph.ends.items():
        if bit not in late:
            continue
        at, levels = follow(before, bit)
        start = graph.starts[at]
        path = Path(late[bit] + end.ns, start.levels + levels + end.levels, start.start, end.end)
        best = found[owner[bit]]
        if best is None or path.ns > best.ns:
            found[owner[bit]] = path
    return found
