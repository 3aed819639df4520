# SPDX-License-Identifier: Apache-2.0
"""Resources of a bitstream's shell: DMA, registers, width adapters, one set per stream.

Counts are what Yosys makes of shells with one to four streams of 8 to 1,024 bits
(`benchmarks/shell_ports.py`; `tests/test_shell.py` holds the comparison).
"""

from __future__ import annotations

from collections.abc import Sequence

from qnnc.compiler.dataflow.memory_traffic import boundary_stream
from qnnc.compiler.dataflow.stream_graph import StreamGraph
from qnnc.compiler.resources import Resources

BASE = Resources(LUT=183, FF=411)
READ = Resources(LUT=494, FF=573)
WRITTEN = Resources(LUT=639, FF=764)
NATURAL_BITS = 64
"""A word of the memory's ports; wider streams take registers and multiplexers more."""
WIDER = Resources(LUT=0.5, FF=1.5)


def shell_resources(read: Sequence[int], written: Sequence[int]) -> Resources:
    """Resources of a shell, given the bits per word of each stream that it reads and writes."""
    wider = sum(max(0, bits - NATURAL_BITS) for bits in (*read, *written))
    streams = READ.scaled(len(read)) + WRITTEN.scaled(len(written))
    return BASE + streams + WIDER.scaled(wider)


def shell_of(graph: StreamGraph) -> Resources:
    """Resources of the shell around a folded graph, streams of weights included."""
    read = [boundary_stream(graph, edge).bits for edge in graph.inputs]
    read += [NATURAL_BITS for node in graph.nodes if node.weight_bytes(node.folding())]
    return shell_resources(read, [boundary_stream(graph, edge).bits for edge in graph.outputs])
