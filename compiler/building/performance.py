# SPDX-License-Identifier: Apache-2.0
"""The speed of a folded graph, by the nodes' own models."""

from __future__ import annotations

import math
from collections.abc import Sequence

from qnnc.compiler.board import Board
from qnnc.compiler.buffering.timing import Work, latency_of
from qnnc.compiler.dataflow import DataflowNode
from qnnc.compiler.dataflow.memory_traffic import batch_of, traffic
from qnnc.compiler.dataflow.stream_graph import StreamGraph
from qnnc.compiler.memory_ports import assign
from qnnc.compiler.report import MEMORY, Performance


def estimated_performance(
    graph: StreamGraph, board: Board, clock_mhz: float, works: Sequence[Work]
) -> Performance:
    """Cycles per frame of the slowest: a node, a recurrence, or the memory that weights come from.

    Args:
        graph: with widths and FIFOs.
        board: whose memory it is.
        clock_mhz: of the accelerator.
        works: when the nodes work, as `buffering.timing.works` has it.
    """
    found = Performance(
        clock_mhz=clock_mhz,
        ii_cycles=None,
        ii_cycles_estimate=0,
        latency_cycles=None,
        latency_cycles_estimate=latency_of(graph, works),
        fps=0.0,
        bottleneck="",
        batch=batch_of(graph.nodes),
        memory_cycles=0.0,
        memory_ports=1,
        memory_bytes=sum(node.weight_bytes(node.folding()) for node in graph.nodes),
    )
    set_clock(found, graph, board, clock_mhz)
    return found


def set_clock(performance: Performance, graph: StreamGraph, board: Board, clock_mhz: float) -> None:
    """Put the speed at a clock into `performance`: the faster it is, the fewer bytes the memory
    gives in a cycle."""
    slowest = slowest_node(graph)
    cycles, bottleneck = slowest.cycles(slowest.folding()), slowest.name
    if graph.feedback:
        from qnnc.compiler.buffering.depths import pace_of

        target = graph.feedback[0].target
        if (pace := pace_of(graph)) > cycles and target is not None:
            cycles, bottleneck = pace, graph.nodes[target.node].name
    ports, waiting = 1, 0.0
    if performance.memory_bytes:
        memory = assign(traffic(graph), board.memory(clock_mhz))
        ports, waiting = memory.used, round(memory.cycles / performance.batch, 6)
        if math.ceil(waiting) > cycles:
            cycles, bottleneck = math.ceil(waiting), MEMORY
    performance.clock_mhz = clock_mhz
    performance.ii_cycles_estimate = cycles
    performance.bottleneck = bottleneck
    performance.memory_cycles = round(waiting, 2)
    performance.memory_ports = ports
    set_rate(performance)


def set_rate(performance: Performance) -> None:
    """Frames per second by the cycles that were measured, or estimated; the simulation's memory
    has no limit."""
    cycles: float = performance.ii_cycles_estimate
    if performance.ii_cycles is not None:
        measured = performance.ii_cycles
        cycles = max(measured, cycles) if performance.bottleneck == MEMORY else measured
    performance.fps = round(performance.clock_mhz * 1e6 / cycles, 1)


def slowest_node(graph: StreamGraph) -> DataflowNode:
    """The node that takes the most cycles per frame."""
    return max(graph.nodes, key=lambda node: node.cycles(node.folding()))
