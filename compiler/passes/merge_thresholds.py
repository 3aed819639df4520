# SPDX-License-Identifier: Apache-2.0
"""merge-thresholds: two tables in a row become one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from qnnc.compiler.ir.edit import Editor, remove_unused, replace_value
from qnnc.compiler.ir.facts import IntArray, Integer, integer, set_integer
from qnnc.compiler.ir.operators import multi_threshold
from qnnc.compiler.ir.operators.multi_threshold import Table, table_of
from qnnc.compiler.passes.base import Pass


@dataclass
class MergeThresholds(Pass):
    """Drop tables that change nothing, and make one of two that follow each other.

    Exporters write both: a quantizer with the parameters of the one before it (after a reshape
    or a maximum), and quantize, Relu, quantize.
    """

    name = "merge-thresholds"
    folds = "it is in the table before it"

    def run(self, model: ir.Model) -> bool:
        editor = Editor(model.graph)
        changed = False
        for node in list(model.graph):
            if node.op_type != "MultiThreshold":
                continue
            if _changes_nothing(node):
                source = node.inputs[0]
                assert source is not None
                replace_value(node.outputs[0], source, take_name=False)
                model.graph.remove(node, safe=True)  # else it would count as a user of its input
                changed = True
            else:
                changed |= self._merge(editor, node)
        remove_unused(model)
        return changed

    def _merge(self, editor: Editor, node: ir.Node) -> bool:
        """Look the thresholds of `node` up among those of the table before it."""
        middle = node.inputs[0]
        before = middle.producer() if middle is not None else None
        if middle is None or before is None or before.op_type != "MultiThreshold":
            return False
        if len(list(middle.uses())) > 1 or middle.is_graph_output():
            return False
        first, second = table_of(before), table_of(node)
        if first.values is not None:
            self.leave(node, "the table before it is not rising")
            return False
        x = before.inputs[0]
        fact = integer(x) if x is not None else None
        merged = _composed(first, second, fact) if fact is not None else None
        if merged is None or x is None:
            self.leave(node, "its channels lie along another axis than those of the one before")
            return False
        y = multi_threshold.insert(
            editor, node, x, merged, f"{node.outputs[0].name}_merged", (before, node)
        )
        y.shape, y.type = node.outputs[0].shape, node.outputs[0].type
        set_integer(y, integer(node.outputs[0]))
        replace_value(node.outputs[0], y)
        return True


def _changes_nothing(node: ir.Node) -> bool:
    """Every integer of its input's range comes out as it is."""
    x, table = node.inputs[0], table_of(node)
    fact, result = (integer(x) if x is not None else None), integer(node.outputs[0])
    if x is None or fact is None or result is None or table.values is not None:
        return False
    if node.outputs[0].is_graph_output():
        return False
    low, high = int(fact.low.min()), int(fact.high.max())
    # threshold t counts from base + 1 on: it must be base + 1 for all that lie in the range
    wanted = table.base + 1 + np.arange(table.thresholds.shape[1])
    inside = (wanted > low) & (wanted <= high)
    if table.base > low or table.base + table.thresholds.shape[1] < high:
        return False
    rows = table.thresholds
    below, above = wanted <= low, wanted > high
    return bool(
        np.all(rows[:, inside] == wanted[inside])
        and np.all(rows[:, below] <= low)
        and np.all(rows[:, above] > high)
    )


def _composed(first: Table, second: Table, fact: Integer) -> Table | None:
    """The table of second after first, on integers of a range: where first reaches each threshold
    of second."""
    shared = first.thresholds.shape[0] == 1 or second.thresholds.shape[0] == 1
    if not shared and first.axis != second.axis:
        return None
    channels = max(first.thresholds.shape[0], second.thresholds.shape[0])
    axis = first.axis if first.thresholds.shape[0] > 1 else second.axis
    steps = first.thresholds.shape[1]
    before = np.broadcast_to(first.thresholds, (channels, steps))
    after = np.broadcast_to(second.thresholds, (channels, second.thresholds.shape[1]))
    # before its first step the table stands still, and after its last
    never, always = int(fact.high.max()) + 1, int(fact.low.min())
    index = after - first.base - 1
    rows: IntArray = np.take_along_axis(before, np.clip(index, 0, steps - 1), axis=1)
    rows = np.where(index < 0, always, np.where(index >= steps, never, rows))
    values = second.values
    if values is not None:
        values = np.broadcast_to(values, (channels, values.shape[1]))
    return Table(rows, second.base, values, axis)
