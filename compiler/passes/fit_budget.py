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
SHARES = (1.0, 0.5, 0.25)
"""Of FIFOs' cost: a smaller folding may need smaller ones."""


@dataclass
class FitBudget(SetFolding):
    """Fold again with room for FIFOs where they bring the accelerator beyond its budget.

    How deep FIFOs have to be depends on the folding, so that set-folding cannot know their cost.
    Where the whole exceeds the budget, FIFOs and width converters are taken out, what was too
    much is kept free, and folding and insertion are done again, until all of it fits.

    Options:
        depth: as of insert-fifos.
        others: as of set-folding.
    """

    name = "fit-budget"
    depth: int = 0

    def run(self, model: ir.Model) -> bool:
        self._check()
        reserved, over = NOTHING, list[str]()
        for again in range(TRIES):
            graph = stream_graph(model)
            total, allowed = total_of(graph), self.allowed(graph)
            over = total.exceeding(allowed)
            if not over:
                return again > 0
            wanted = reserved.most(_fifos(graph).only(over))
            if again:
                wanted += total.less(allowed)
            remove_inserted(model)
            reserved = self._fold_again(stream_graph(model), reserved, wanted)
            InsertWidthConverters().run(model)
            InsertFifos(self.depth).run(model)
        raise TargetError(
            f"with its FIFOs the network takes more than the budget of {' and '.join(over)} in "
            f"each of {TRIES} foldings; ask for fewer frames/s or for more of the board (--budget)"
        )

    def _fold_again(self, graph: StreamGraph, least: Resources, most: Resources) -> Resources:
        """Fold with `most` reserved, or where no folding leaves so much, with some of what is
        more than `least`; returns what was reserved."""
        refusal: TargetError | None = None
        for share in SHARES:
            reserved = least + most.less(least).scaled(share)
            try:
                self.fold(graph, reserved)
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
