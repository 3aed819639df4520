# SPDX-License-Identifier: Apache-2.0
"""set-folding: PE, SIMD, memories and arithmetic of every node, solved for a goal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import onnx_ir as ir

from qnnc.compiler.batches import check_batch
from qnnc.compiler.dataflow import DataflowNode
from qnnc.compiler.dataflow.shell_cost import shell_of
from qnnc.compiler.dataflow.stream_graph import StreamGraph, stream_graph
from qnnc.compiler.errors import ModelError, OptionError, TargetError
from qnnc.compiler.folding.by_hand import Fixed, resolve
from qnnc.compiler.folding.settings import Setting, parse_setting, read_settings
from qnnc.compiler.memory_ports import MAX_PORTS, MemoryPorts
from qnnc.compiler.passes.base import Pass, Reason
from qnnc.compiler.resources import Resources, check_budget

if TYPE_CHECKING:
    from qnnc.compiler.folding.goal import Goal

NOTHING = Resources()
REMEDIAL_BATCH = 16
WORTH_SAYING = 0.001
"""Gap of a choice's cost from the best."""


@dataclass
class SetFolding(Pass):
    """Fold every node for a throughput at least cost, or for the most that fits a budget.

    Options:
        fps: frames per second to reach; 0 for the fastest that fits.
        clock_mhz: clock of the accelerator.
        budget: share of the device that may be used; inf for no limit. Of a whole device the
            shell of a bitstream takes its part.
        LUT, FF, BRAM18, DSP: what the device has; by default a Z7020.
        external_weights: weights may come from off-chip memory.
        batch: frames that may be held on the chip, so that weights of dense layers come from there
            once for all of them; above 1, external_weights is implied.
        bytes_per_cycle: what that memory gives; by default DDR3 of 16 bits at three quarters.
        port_bytes_per_cycle: of that over one port; by default 64 bits at three quarters.
        memory_ports: how many ports there are.
        lut_price: how dear a LUT is where something else could do, as a multiple of its share of
            the device.
        folding: file of foldings by hand (YAML, JSON or FINN's); the rest is solved for.
        settings: more of them, each LAYER:PE=4,SIMD=8; they outdo the file.
        updatable: weights stay in memories; otherwise those of a layer that is done in one cycle
            per vector may become part of the logic.
        kept_free: LUT, FF, BRAM18 and DSP of the budget that are left: what synthesis of an earlier
            folding took beyond the resource model.
    """

    name = "set-folding"
    fps: float = 0
    clock_mhz: float = 100
    budget: float = 0.8
    LUT: float = 53200
    FF: float = 106400
    BRAM18: float = 280
    DSP: float = 220
    external_weights: bool = False
    batch: int = 1
    bytes_per_cycle: float = 15.75
    port_bytes_per_cycle: float = 6
    memory_ports: int = 4
    lut_price: float = 1
    folding: str = ""
    settings: tuple[str, ...] = ()
    updatable: bool = False
    kept_free: tuple[float, ...] = ()

    def run(self, model: ir.Model) -> bool:
        self._check()
        if any(self.kept_free):
            free = Resources(*self.kept_free).as_dict()
            counts = ", ".join(f"{count:,.0f} {name}" for name, count in free.items() if count)
            text = f"{counts} of the budget are kept free: synthesis took more of another folding"
            self.reasons.append(Reason(self.name, (), text))
        self.fold(stream_graph(model))
        return True

    def fold(self, graph: StreamGraph, reserved: Resources = NOTHING, margin: float = 1.0) -> None:
        """Choose and write the foldings of all nodes.

        Args:
            reserved: of the budget, for what is inserted later.
            margin: by how much recurrences are to be faster than the goal.

        Raises:
            OptionError: options are wrong, or not for this graph.
            TargetError: the goal cannot be reached; says what stops it and what helps.
        """
        from qnnc.compiler.folding.goal import apply_choice, choose  # brings scipy, slow to load

        self._offer(graph)
        goal = self.goal(graph, reserved)
        fixed = self._by_hand(graph)
        try:
            choice = choose(graph, goal, fixed)
        except TargetError as error:
            helps = self._external_helps(graph, goal, fixed)
            raise TargetError(f"{error}{helps}") from error
        apply_choice(graph, choice)
        if graph.feedback:
            from qnnc.compiler.folding.recurrence import paced

            choice = paced(graph, goal, choice, fixed, margin)
        if choice.gap > WORTH_SAYING:
            text = f"the search was broken off: up to {choice.gap:.1%} of the cost could be saved"
            self.reasons.append(Reason(self.name, (), text))
        if choice.undecided:
            text = (
                f"the search was broken off: whether {choice.undecided} cycles per frame fit is "
                "not known"
            )
            self.reasons.append(Reason(self.name, (), text))

    def _by_hand(self, graph: StreamGraph) -> list[Fixed]:
        """What is given of each node's folding."""
        asked = by_hand(self.folding, self.settings)
        fixed, left_out = resolve(graph.nodes, asked)
        if left_out:
            text = f"of {self.folding}, what qnnc decides by itself is left out: {left_out}"
            self.reasons.append(Reason(self.name, (), text))
        return fixed

    def goal(self, graph: StreamGraph, reserved: Resources = NOTHING) -> Goal:
        """What to solve for."""
        from qnnc.compiler.folding.goal import Goal

        device = Resources(self.LUT, self.FF, self.BRAM18, self.DSP)
        return Goal(
            device,
            self.allowed(graph),
            self.clock_mhz,
            fps=self.fps or None,
            memory=MemoryPorts(self.memory_ports, self.port_bytes_per_cycle, self.bytes_per_cycle),
            reserved=reserved,
            lut_price=self.lut_price,
            in_logic=not self.updatable,
        )

    def allowed(self, graph: StreamGraph) -> Resources:
        """What the accelerator may take: its share of the device, no more than the shell leaves
        of the whole, and without what is kept free."""
        device = Resources(self.LUT, self.FF, self.BRAM18, self.DSP)
        share = device.scaled(self.budget)
        if self.budget == math.inf:
            return share
        return share.least(device.less(shell_of(graph))).less(Resources(*self.kept_free))

    def _check(self) -> None:
        check_budget(self.budget)
        if not 0 < self.lut_price < math.inf:
            raise OptionError(f"lut_price must be positive, not {self.lut_price}")
        check_batch(self.batch)
        if not 1 <= self.memory_ports <= MAX_PORTS:
            raise OptionError(f"memory_ports is 1 to {MAX_PORTS}, not {self.memory_ports}")

    def _offer(self, graph: StreamGraph) -> None:
        """Tell the nodes whether their weights may come from off-chip memory."""
        if not graph.nodes:
            raise ModelError(
                "there are no dataflow nodes to fold; set-folding comes after to-dataflow"
            )
        if self.batch > 1 and not _is_chain(graph.nodes):
            raise OptionError(
                "--batch is for networks without branches that meet: the others would have to "
                "hold a whole batch where they meet; --external-weights is for all"
            )
        offered = self.batch if self.external_weights or self.batch > 1 else 0
        for node in graph.nodes:
            node.offer_external(offered)

    def _external_helps(self, graph: StreamGraph, goal: Goal, fixed: list[Fixed]) -> str:
        """The advice to take weights from off-chip memory, where that reaches the goal."""
        if self.batch > 1:
            return ""
        tries = [] if self.external_weights else [(1, "--external-weights")]
        if _is_chain(graph.nodes):
            tries.append((REMEDIAL_BATCH, f"--batch {REMEDIAL_BATCH}"))
        helps, least = [], 0
        for batch, option in tries:
            cycles = self._cycles_with(graph, goal, fixed, batch)
            if cycles and (not least or cycles < least):
                helps.append(f"with {option} for {self._rate(goal, cycles)} frames/s")
                least = cycles
        if not helps:
            return ""
        return (
            "; weights for which there is no room can come from the board's memory, "
            f"{', '.join(helps)}"
        )

    @staticmethod
    def _rate(goal: Goal, cycles: int) -> str:
        from qnnc.compiler.folding.goal import rate

        return rate(goal.reached(cycles))

    @staticmethod
    def _cycles_with(graph: StreamGraph, goal: Goal, fixed: list[Fixed], batch: int) -> int:
        """Cycles per frame with weights from off-chip memory; 0 if that does not help."""
        from qnnc.compiler.folding.goal import choose

        offered = [node.offer_external(batch) for node in graph.nodes]  # all of them
        if not any(offered):
            return 0
        try:
            return max(option.cycles for option in choose(graph, goal, fixed).options)
        except TargetError:
            return 0
        finally:
            for node in graph.nodes:
                node.offer_external(0)


def by_hand(folding: str, settings: Sequence[str]) -> list[Setting]:
    """What a file and options ask for; raises OptionError where they are not of the form."""
    read = read_settings(Path(folding)) if folding else []
    return [*read, *map(parse_setting, settings)]


def _is_chain(nodes: tuple[DataflowNode, ...]) -> bool:
    return all(len(node.stream_inputs) == 1 for node in nodes)
