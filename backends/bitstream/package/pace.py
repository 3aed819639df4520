# SPDX-License-Identifier: Apache-2.0
"""How long a run may take: cycles per frame, and until the first frame is through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from qnnc.backends.bitstream.shell import Shell
from qnnc.compiler.report import Layer

NODE_CYCLES = 100
"""More than the registers of any node delay a word."""


@dataclass(frozen=True)
class Pace:
    """Cycles of an accelerator with its shell.

    Attributes:
        frame_cycles: least possible per frame: of the slowest node, or of moving the data.
        fill_cycles: not exceeded by a frame's way through an idle accelerator.
    """

    frame_cycles: float
    fill_cycles: float


def pace_of(shell: Shell, layers: Sequence[Layer]) -> Pace:
    """The pace that the nodes' and the shell's own models give.

    A frame waits in each node for no longer than the slowest node takes for a frame (with weights
    from memory: for a batch).
    """
    nodes = max(layer.cycles for layer in layers)
    loads = [max(s.dma_cycles for s in group) for group in (shell.inputs, shell.outputs)]
    ways = [
        *([s for s in shell.inputs if s.port_index == i] for i in range(len(shell.ports))),
        shell.outputs,
    ]
    shared = [sum(s.frame_bytes for s in way) / 8 for way in ways]
    frame = float(max(nodes, *(load / shell.batch for load in (*loads, *shared))))
    return Pace(frame, (len(layers) + 2) * (shell.batch * frame + NODE_CYCLES))
