# SPDX-License-Identifier: Apache-2.0
"""set-folding: PE, SIMD, memories and arithmetic of every node, solved for a goal."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from qnnc.compiler.dataflow.stream_graph import stream_graph
from qnnc.compiler.errors import OptionError
from qnnc.compiler.passes.base import Pass
from qnnc.compiler.resources import Resources


@dataclass
class SetFolding(Pass):
    """Fold every node for a throughput at least cost, or for the most that fits a budget.

    Options:
        fps: frames a second to reach; 0 for the fastest that fits.
        clock_mhz: clock of the accelerator.
        budget: share of the device that may be used.
        LUT, FF, BRAM18, DSP: what the device has; by default a Z7020.
    """

    name = "set-folding"
    fps: float = 0
    clock_mhz: float = 100
    budget: float = 0.8
    LUT: float = 53200
    FF: float = 106400
    BRAM18: float = 280
    DSP: float = 220

    def run(self, model: ir.Model) -> bool:
        from qnnc.compiler.folding.goal import Goal, choose  # brings scipy, slow to load

        if not 0 < self.budget <= 1:
            raise OptionError(f"the budget is a share of the board from 0 to 1, not {self.budget}")
        device = Resources(self.LUT, self.FF, self.BRAM18, self.DSP)
        goal = Goal(device, device.scaled(self.budget), self.clock_mhz, self.fps or None)
        graph = stream_graph(model)
        choice = choose(graph, goal)
        for node, option in zip(graph.nodes, choice.options, strict=True):
            node.apply(option.folding)
        return True
