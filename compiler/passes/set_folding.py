# SPDX-License-Identifier: Apache-2.0
"""set-folding: PE, SIMD, memories and arithmetic of every node, solved for a goal."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from qnnc.compiler.batches import check_batch
from qnnc.compiler.dataflow.stream_graph import stream_graph
from qnnc.compiler.errors import ModelError, OptionError, TargetError
from qnnc.compiler.memory_ports import MAX_PORTS, MemoryPorts
from qnnc.compiler.passes.base import Pass
from qnnc.compiler.resources import Resources, check_budget
from qnnc.nodes.mvau.node import MVAU


@dataclass
class SetFolding(Pass):
    """Fold every node for a throughput at least cost, or for the most that fits a budget.

    Options:
        fps: frames a second to reach; 0 for the fastest that fits.
        clock_mhz: clock of the accelerator.
        budget: share of the device that may be used; inf for no limit.
        LUT, FF, BRAM18, DSP: what the device has; by default a Z7020.
        batch: frames that may be held on the chip, so that weights can come from memory outside
            once for all of them; 1 to keep all weights on the chip.
        bytes_per_cycle: what that memory gives; by default DDR3 of 16 bits at three quarters.
        port_bytes_per_cycle: of that over one port; by default 64 bits at three quarters.
        memory_ports: how many ports there are.
    """

    name = "set-folding"
    fps: float = 0
    clock_mhz: float = 100
    budget: float = 0.8
    LUT: float = 53200
    FF: float = 106400
    BRAM18: float = 280
    DSP: float = 220
    batch: int = 1
    bytes_per_cycle: float = 15.75
    port_bytes_per_cycle: float = 6
    memory_ports: int = 4

    def run(self, model: ir.Model) -> bool:
        from qnnc.compiler.folding.goal import Goal, choose  # brings scipy, slow to load

        check_budget(self.budget)
        check_batch(self.batch)
        if not 1 <= self.memory_ports <= MAX_PORTS:
            raise OptionError(f"memory_ports is 1 to {MAX_PORTS}, not {self.memory_ports}")
        device = Resources(self.LUT, self.FF, self.BRAM18, self.DSP)
        goal = Goal(
            device,
            device.scaled(self.budget),
            self.clock_mhz,
            self.fps or None,
            MemoryPorts(self.memory_ports, self.port_bytes_per_cycle, self.bytes_per_cycle),
        )
        graph = stream_graph(model)
        if not graph.nodes:
            raise ModelError(
                "there are no dataflow nodes to fold; set-folding comes behind to-dataflow"
            )
        dense = [node for node in graph.nodes if isinstance(node, MVAU) and node.vectors == 1]
        chain = all(len(node.stream_inputs) == 1 for node in graph.nodes)
        if self.batch > 1 and not chain:
            raise OptionError(
                "--batch is for networks without branches that meet: the others would have to "
                "hold a whole batch where they meet"
            )
        for unit in dense:
            unit.set_attrs(batch=self.batch)
        try:
            choice = choose(graph, goal)
        except TargetError as error:
            if self.batch > 1 or not dense or not chain:
                raise
            raise TargetError(f"{error}; --batch 16 lets weights come from memory") from error
        for node, option in zip(graph.nodes, choice.options, strict=True):
            node.apply(option.folding)
        return True
