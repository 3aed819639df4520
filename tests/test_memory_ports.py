# SPDX-License-Identifier: Apache-2.0
"""Streams over the ports to memory: the assignment, and the foldings that it leaves."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.networks import MlpSpec, mlp
from qnnc.compiler.board import Board, find_board
from qnnc.compiler.dataflow.folding import PEFolding
from qnnc.compiler.dataflow.stream_graph import StreamGraph, stream_graph
from qnnc.compiler.errors import OptionError, PluginError, TargetError
from qnnc.compiler.folding.goal import UNLIMITED, Goal, choose
from qnnc.compiler.folding.options import Option
from qnnc.compiler.folding.problem import Limits, MemoryStream, solve
from qnnc.compiler.memory_ports import MemoryPorts, Traffic, assign, heaviest, spread, word_bytes
from qnnc.compiler.passes.set_folding import SetFolding
from qnnc.compiler.resources import Resources
from tests.support.build import compile_proto

SIZES = st.lists(st.integers(1, 60), min_size=1, max_size=6)
DEVICE = Resources(53200, 106400, 280, 220)


def best(sizes: list[int], ports: int) -> int:
    """The least that the fullest port can have."""
    return min(heaviest(sizes, p) for p in itertools.product(range(ports), repeat=len(sizes)))


@given(SIZES, st.integers(1, 4))
@settings(max_examples=60, deadline=None)
def test_streams_are_spread_as_well_as_can_be(sizes: list[int], ports: int) -> None:
    found = spread(sizes, ports)
    assert found == spread(list(sizes), ports)
    assert heaviest(sizes, found) == best(sizes, ports)
    assert set(found) == set(range(max(found) + 1))  # none is left out before the last
    assert max(found) < ports


def test_thirty_streams_are_spread_quickly() -> None:
    sizes = [1009 * (i * i % 37 + 1) for i in range(30)]
    assert heaviest(sizes, spread(sizes, 4)) <= 1.1 * sum(sizes) / 4


@given(
    SIZES,
    st.lists(st.integers(1, 60), max_size=3),
    st.lists(st.integers(1, 20), min_size=1, max_size=2),
    st.integers(1, 60),
    st.builds(MemoryPorts, st.integers(1, 4), st.floats(0.5, 8), st.floats(0.5, 20)),
)
@settings(max_examples=100, deadline=None)
def test_no_port_and_not_the_memory_gives_more_than_it_can(
    weights: list[int],
    inputs: list[int],
    outputs: list[int],
    cycles: int,
    memory: MemoryPorts,
) -> None:
    traffic = Traffic(tuple(inputs), tuple(weights), tuple(outputs), cycles)
    found = assign(traffic, memory)
    reads = [*inputs, *weights]
    slack = 1e-9
    assert len(found.ports) == len(reads) and found.used <= memory.ports
    assert heaviest(reads, found.ports) <= memory.port_rate * found.cycles + slack
    assert sum(outputs) <= memory.port_rate * found.cycles + slack
    assert sum(reads) + sum(outputs) <= memory.rate * found.cycles + slack
    # the fewest ports that do
    assert assign(traffic, replace(memory, ports=found.used)) == found
    if found.used > 1:
        fewer = assign(traffic, replace(memory, ports=found.used - 1))
        assert fewer.cycles > max(cycles, found.cycles)
    alone = assign(replace(traffic, weights=()), memory)
    assert alone.used == 1 and set(alone.ports) <= {0}


@given(
    st.lists(
        st.lists(st.tuples(st.integers(1, 30), st.integers(0, 24)), min_size=1, max_size=4),
        min_size=1,
        max_size=4,
    ),
    st.integers(1, 3),
    st.integers(8, 30),
    st.integers(20, 60),
)
@settings(max_examples=60, deadline=None)
def test_foldings_are_the_cheapest_that_can_be_spread(
    nodes: list[list[tuple[int, int]]], ports: int, port_rate: int, rate: int
) -> None:
    """Against brute force: LUTs and bytes of each option, an input of 6 bytes with the first."""
    options = [
        [
            Option(PEFolding(PE=i + 1), 1, Resources(lut), (1,), (1,), size)
            for i, (lut, size) in enumerate(node)
        ]
        for node in nodes
    ]
    memory = MemoryPorts(ports, port_rate, rate)
    streams = [MemoryStream(0, 0, 6, 8), *(MemoryStream(i, None) for i in range(len(nodes)))]

    def fits(choice: tuple[Option, ...]) -> bool:
        sizes = [6, *(round(o.memory_bytes) for o in choice if o.memory_bytes)]
        return sum(sizes) <= rate and best(sizes, ports) <= port_rate

    possible = [c for c in itertools.product(*options) if fits(c)]
    limits = Limits(streams, memory, split=True)
    found = solve(options, [], 1, UNLIMITED, Resources(LUT=1.0), limits)
    assert (found is None) == (not possible)
    if found is not None:
        assert fits(found.options)
        least = min(sum(o.resources.LUT for o in choice) for choice in possible)
        assert least == found.resources.LUT


def test_words_in_memory() -> None:
    assert [word_bytes(bits) for bits in (1, 8, 9, 24, 33, 64, 65, 196)] == [
        1, 1, 2, 4, 8, 8, 16, 32,
    ]  # fmt: skip


def test_what_a_board_gives_over_its_ports() -> None:
    board = find_board("Pynq-Z1")
    assert board.memory_ports == 4
    assert [board.bytes_per_cycle(100.0, n) for n in (1, 2, 3, 4)] == pytest.approx(
        [6, 12, 15.75, 15.75]
    )
    assert board.memory(100.0) == MemoryPorts(4, 6.0, 15.75)


@pytest.mark.parametrize("ports", [0, 5])
def test_ports_that_there_cannot_be(ports: int) -> None:
    with pytest.raises(PluginError, match="memory_ports"):
        Board("x", "xc7z020clg400-1", DEVICE, 100.0, 2100.0, "", memory_ports=ports)
    with pytest.raises(OptionError, match="memory_ports"):
        SetFolding(memory_ports=ports).run(None)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def wide() -> StreamGraph:
    """Its first layer's weights, 16,384 bytes per batch, find no room in two block RAMs."""
    model = compile_proto(mlp(MlpSpec((256, 128, 64, 10), 4, 4, "relu", 4)), samples=2)[0]
    SetFolding(fps=1000.0, batch=16).run(model)
    return stream_graph(model)


def fastest(graph: StreamGraph, memory: MemoryPorts, luts: int = 2650) -> int:
    """Cycles per frame in a small corner of a device."""
    room = Resources(luts, 20000, 2, 4)
    found = choose(graph, Goal(room, room, 100.0, memory=memory))
    return max(option.cycles for option in found.options)


@pytest.mark.parametrize(
    ("ports", "port_rate", "rate", "cycles"),
    [
        (1, 0.57, 9.0, 2048),  # 1,024 bytes of weights a frame and 128 of input
        (1, 0.56, 9.0, 4096),
        (2, 0.5, 9.0, 2048),  # each over a port of its own
        (2, 0.499, 9.0, 4096),
        (2, 1.0, 0.573, 2048),  # and 20 of output, in all
        (2, 1.0, 0.572, 4096),
    ],
)
def test_the_fastest_that_memory_feeds(
    wide: StreamGraph, ports: int, port_rate: float, rate: float, cycles: int
) -> None:
    assert fastest(wide, MemoryPorts(ports, port_rate, rate)) == cycles


@pytest.mark.parametrize(
    "memory",
    [
        MemoryPorts(1, 0.02, 0.02),
        MemoryPorts(2, 0.0035, 9.0),  # 128 bytes of a frame in 32,768 cycles come over one port
        MemoryPorts(2, 9.0, 0.0042),  # and 20 bytes go
    ],
)
def test_memory_that_does_not_even_take_the_frames(wide: StreamGraph, memory: MemoryPorts) -> None:
    """Weights stay on the chip, where they find room."""
    assert fastest(wide, memory, luts=2800) == 16384
    with pytest.raises(TargetError, match="the smallest folding would take more than the budget"):
        fastest(wide, memory)
