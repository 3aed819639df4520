# SPDX-License-Identifier: Apache-2.0
"""fit-budget: FIFOs count towards the budget, too."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from qnnc.compiler.dataflow import is_dataflow, node_class
from qnnc.compiler.dataflow.plumbing import Fifo, WidthConverter
from qnnc.compiler.dataflow.stream_graph import StreamGraph, stream_graph
from qnnc.compiler.errors import TargetError
from qnnc.compiler.ir.edit import replace_value
from qnnc.compiler.passes.insert_fifos import InsertFifos
from qnnc.compiler.passes.insert_width_converters import InsertWidthConverters
from qnnc.compiler.passes.set_folding import NOTHING, SetFolding
from qnnc.compiler.resources import Resources

TRIES = 6
SPARE = 1.02
"""By how much more a recurrence that is late is hurried than it is late."""
SHARES = (1.0, 0.5, 0.25)
"""Of FIFOs' cost: a smaller folding may need smaller ones."""


@dataclass
class FitBudget(SetFolding):
    """Fold again with room for FIFOs where they bring the accelerator beyond its budget.

    How deep FIFOs have to be depends on the folding, so that set-folding cannot know their cost.
    Where the whole exceeds the budget, FIFOs and width converters are taken out, what was too
    much is kept free, and folding and insertion are done again, until all of it fits. So they are
    where converters and FIFOs make a recurrence slower than the frames per second allow.

    Options:
        depth: as of insert-fifos.
        others: as of set-folding.
    """

    name = "fit-budget"
    depth: int = 0

    def run(self, model: ir.Model) -> bool:
        self._check()
        reserved, over, margin = NOTHING, list[str](), 1.0
        for again in range(TRIES):
            graph = stream_graph(model)
            total, allowed = total_of(graph), self.allowed(graph)
            over, late = total.exceeding(allowed), self._late(graph)
            if not over and late <= 1:
                return again > 0
            wanted = reserved
            if over:
                wanted = reserved.most(_fifos(graph).only(over))
                wanted += total.less(allowed) if again else NOTHING
            if late > 1:
                margin *= late * SPARE
            remove_inserted(model)
            reserved = self._fold_again(stream_graph(model), reserved, wanted, margin)
            InsertWidthConverters().run(model)
            InsertFifos(self.depth).run(model)
        if not over:
            raise TargetError(
                "with the width converters and FIFOs between its nodes, the recurrence does not "
                f"keep up with {self.fps:,.0f} frames/s in any of {TRIES} foldings; ask for fewer"
            )
        raise TargetError(
            f"with its FIFOs the network takes more than the budget of {' and '.join(over)} in "
            f"each of {TRIES} foldings; ask for fewer frames/s or for more of the board (--budget)"
        )

    def _late(self, graph: StreamGraph) -> float:
        """What a recurrence takes of the cycles that it may, with converters and FIFOs in it; 1
        where there is none, or no frames per second are asked for."""
        most = self.goal(graph).max_cycles if graph.feedback else None
        if most is None:
            return 1.0
        from qnnc.compiler.buffering.depths import pace_of  # brings networkx, slow to load

        return pace_of(graph) / most

    def _fold_again(
        self, graph: StreamGraph, least: Resources, most: Resources, margin: float
    ) -> Resources:
        """Fold with `most` reserved, or where no folding leaves so much, with some of what is
        more than `least`; returns what was reserved."""
        refusal: TargetError | None = None
        for share in SHARES:
            reserved = least + most.less(least).scaled(share)
            try:
                self.fold(graph, reserved, margin)
            except TargetError as error:
                refusal = refusal or error
            else:
                return reserved
        assert refusal is not None
        raise refusal


def total_of(graph: StreamGraph) -> Resources:
    """Resources of all nodes."""
    return sum((node.resources(node.folding()) for node in graph.nodes), NOTHING)


def _fifos(graph: StreamGraph) -> Resources:
    found = (node for node in graph.nodes if isinstance(node, Fifo))
    return sum((node.resources(node.folding()) for node in found), NOTHING)


def remove_inserted(model: ir.Model) -> None:
    """Take out FIFOs and width converters, as if they had never been put in."""
    for node in list(model.graph):
        source = node.inputs[0] if node.inputs else None
        if not is_dataflow(node) or source is None:
            continue
        if issubclass(node_class(node.op_type), Fifo | WidthConverter):
            replace_value(node.outputs[0], source, take_name=False)
            model.graph.remove(node, safe=True)
