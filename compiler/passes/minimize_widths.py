# SPDX-License-Identifier: Apache-2.0
"""minimize-widths: the narrowest types for sums, weights, thresholds and activations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from qnnc.compiler.dataflow import DataflowNode, declaration, is_dataflow
from qnnc.compiler.dataflow.base import Range
from qnnc.compiler.integer.layout import OPERATORS as LAYOUTS
from qnnc.compiler.ir.edit import Editor, remove_unused
from qnnc.compiler.ir.facts import integer, set_integer
from qnnc.compiler.passes.base import Pass


@dataclass
class MinimizeWidths(Pass):
    """Propagate exact ranges through the dataflow nodes and narrow their types to fit.

    Codes that a tail can never reach, channel by channel, shorten the sums after it; thresholds
    that no input reaches, or all do, are dropped.
    """

    name = "minimize-widths"

    def run(self, model: ir.Model) -> bool:
        editor = Editor(model.graph)
        changed = False
        for node in model.graph:
            if node.op_type in LAYOUTS and node.inputs[0] is not None:
                _widen_through(node)
            if is_dataflow(node):
                changed |= _narrow(editor, declaration(node))
        remove_unused(model)
        return changed


def _widen_through(node: ir.Node) -> None:
    """After a reshape only the whole tensor's range is kept."""
    source = node.inputs[0]
    before = integer(source) if source is not None else None
    after = integer(node.outputs[0])
    if before is not None and after is not None:
        set_integer(
            node.outputs[0],
            after.with_(
                low=np.asarray(before.low.min()),
                high=np.asarray(before.high.max()),
                datatype=before.type,
            ),
        )


def _narrow(editor: Editor, found: DataflowNode) -> bool:
    sources = [integer(v) for i in found.stream_inputs if (v := found.node.inputs[i]) is not None]
    inputs = [Range.of(fact.low, fact.high) for fact in sources if fact is not None]
    types = [fact.type for fact in sources if fact is not None]
    changed = found.narrow(editor, inputs)
    ranges = found.output_ranges(inputs)
    results = []
    for value, computed in zip(found.node.outputs, ranges, strict=True):
        fact = integer(value)
        assert fact is not None
        # elements keep their coding where a node only passes them on
        passed = next((t for t in types if found.keeps_coding and len(types) == 1), None)
        renewed = fact.with_(low=computed.low, high=computed.high, datatype=passed)
        changed |= bool(renewed.type != fact.type)
        set_integer(value, renewed)
        results.append(renewed.type)
    found.set_types(types, results)
    return changed
