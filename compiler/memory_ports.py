# SPDX-License-Identifier: Apache-2.0
"""Which stream uses which port of the board's memory, and how long a batch takes there.

The folding, the report and the shell all ask here, so that they cannot disagree.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

MAX_PORTS = 4
PORT_ORDER = (0, 2, 1, 3)
"""Numbers of the ports S_AXI_HP0 to S_AXI_HP3 in the order in which they are taken. Two ports of
the DDR controller serve the four (UG585, 10.1): HP0 and HP1 share one, HP2 and HP3 the other, as
in processing_system7_vip, Xilinx' simulation model, with an arbiter for each pair."""
SEARCH_STEPS = 5000
MAX_STREAMS = 30
"""Between memory and accelerator, in either direction: more have no registers in the shell."""


@dataclass(frozen=True)
class MemoryPorts:
    """The ports to the board's memory, in bytes per cycle of the accelerator's clock.

    Attributes:
        ports: how many there are.
        port_rate: what one gives, and takes at the same time (reading and writing have channels of
            their own: UG585, "Theoretical Bandwidth").
        rate: what the memory gives and takes over all of them together.
    """

    ports: int = 1
    port_rate: float = math.inf
    rate: float = math.inf

    @property
    def total(self) -> float:
        """What can be read over all ports together."""
        return min(self.rate, self.ports * self.port_rate)

    def times(self, cycles: float) -> MemoryPorts:
        """The same, in so many cycles."""
        return MemoryPorts(self.ports, self.port_rate * cycles, self.rate * cycles)


@dataclass(frozen=True)
class Traffic:
    """Bytes of a batch by stream, padding included.

    Attributes:
        inputs: of the frames.
        weights: that come with every batch.
        outputs: of the results.
        cycles: of the slowest node, a batch.
    """

    inputs: tuple[int, ...]
    weights: tuple[int, ...]
    outputs: tuple[int, ...]
    cycles: int


@dataclass(frozen=True)
class Assignment:
    """Where streams go.

    Attributes:
        ports: for each stream that is read, inputs and then weights, the place in PORT_ORDER of
            its port. All results go out over the first.
        cycles: that memory takes for a batch at least.
    """

    ports: tuple[int, ...]
    cycles: float

    @property
    def used(self) -> int:
        """Number of ports."""
        return max(self.ports, default=0) + 1


def word_bytes(bits: int) -> int:
    """Bytes of a stream's word in memory: 1, 2, 4, 8 or a multiple of 8."""
    size = -(-bits // 8)
    return 1 << (size - 1).bit_length() if size < 8 else 8 * -(-size // 8)


def assign(traffic: Traffic, memory: MemoryPorts) -> Assignment:
    """Spread what is read over the fewest ports that do not make a batch any longer.

    Without weights from memory everything uses one port.
    """
    reads = (*traffic.inputs, *traffic.weights)
    written = sum(traffic.outputs)
    shared = max((sum(reads) + written) / memory.rate, written / memory.port_rate)
    most = memory.ports if traffic.weights else 1
    tries = [_over(reads, count, shared, memory) for count in range(1, most + 1)]
    enough = max(traffic.cycles, min(found.cycles for found in tries))
    return next(found for found in tries if found.cycles <= enough)


def _over(reads: Sequence[int], count: int, shared: float, memory: MemoryPorts) -> Assignment:
    ports = spread(reads, count)
    return Assignment(ports, max(shared, heaviest(reads, ports) / memory.port_rate))


def heaviest(sizes: Sequence[int], ports: Sequence[int]) -> int:
    """Bytes over the port that has the most."""
    loads = [0] * MAX_PORTS
    for size, port in zip(sizes, ports, strict=True):
        loads[port] += size
    return max(loads)


def spread(sizes: Sequence[int], count: int) -> tuple[int, ...]:
    """A port for each stream, so that the port with the most has as little as can be.

    Streams go longest first to the port that has the least so far (R. L. Graham, "Bounds on
    Multiprocessing Timing Anomalies", 1969); then other ports are tried, for a number of steps that
    is enough for a dozen streams. The same sizes always give the same ports.
    """
    order = sorted(range(len(sizes)), key=lambda i: (-sizes[i], i))
    floor = max(-(-sum(sizes) // count), max(sizes, default=0))
    chosen, loads = [0] * len(sizes), [0] * count
    best, least, steps = tuple(chosen), math.inf, 0

    def place(depth: int) -> None:
        nonlocal best, least, steps
        steps += 1
        if depth == len(order):
            best, least = tuple(chosen), max(loads)
            return
        size = sizes[order[depth]]
        tried = set()
        for port in sorted(range(count), key=lambda p: (loads[p], p)):
            if least == floor or (steps > SEARCH_STEPS and least < math.inf):
                return
            if loads[port] in tried or loads[port] + size >= least:
                continue
            tried.add(loads[port])
            chosen[order[depth]] = port
            loads[port] += size
            place(depth + 1)
            loads[port] -= size

    place(0)
    return best
