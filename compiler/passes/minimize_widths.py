# SPDX-License-Identifier: Apache-2.0
"""minimize-widths: the narrowest types for sums, weights, thresholds and activations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from qnnc.compiler.dataflow import declaration, is_dataflow
from qnnc.compiler.dataflow.mvau import MVAU
from qnnc.compiler.dataflow.thresholding import Thresholding
from qnnc.compiler.datatypes import smallest_type, type_of_values
from qnnc.compiler.integer.layout import OPERATORS as LAYOUTS
from qnnc.compiler.integer.matmul import sum_range
from qnnc.compiler.ir.edit import Editor, remove_unused
from qnnc.compiler.ir.facts import IntArray, integer, set_integer
from qnnc.compiler.ir.operators.multi_threshold import Table
from qnnc.compiler.passes.base import Pass
from qnnc.compiler.tails.table import table_codes


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
            if not is_dataflow(node):
                continue
            found = declaration(node)
            if isinstance(found, Thresholding):
                changed |= _narrow_thresholding(editor, found)
            elif isinstance(found, MVAU):
                changed |= _narrow_mvau(found)
        remove_unused(model)
        return changed


def _widen_through(node: ir.Node) -> None:
    """Behind a reshape only the whole tensor's range is kept."""
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


def _input_range(found: Thresholding | MVAU, channels: int) -> tuple[IntArray, IntArray]:
    source = found.node.inputs[0]
    fact = integer(source) if source is not None else None
    assert fact is not None
    low, high = fact.low.reshape(-1), fact.high.reshape(-1)
    if low.size not in (1, channels):
        low = np.asarray([low.min()])
    if high.size not in (1, channels):
        high = np.asarray([high.max()])
    return np.broadcast_to(low, (channels,)), np.broadcast_to(high, (channels,))


def _set_types(found: Thresholding | MVAU, low: IntArray, high: IntArray) -> bool:
    """Record the output's range and type; returns whether the type changed."""
    output = found.node.outputs[0]
    fact = integer(output)
    assert fact is not None
    set_integer(output, fact.with_(low=low, high=high, datatype=None))
    kind = smallest_type(int(low.min()), int(high.max())).name
    old = found.out_type.name
    found.set_attrs(outputDataType=kind)
    if isinstance(found, MVAU):
        found.set_attrs(accDataType=kind)
    source = found.node.inputs[0]
    source_fact = integer(source) if source is not None else None
    if source_fact is not None:
        found.set_attrs(inputDataType=source_fact.type.name)
    return bool(old != kind)


def _narrow_mvau(found: MVAU) -> bool:
    low, high = _input_range(found, found.MW)
    weights = found.weights()
    if found.xnor:
        return _set_types(found, np.zeros(found.MH, np.int64), np.full(found.MH, found.MW))
    found.set_attrs(weightDataType=type_of_values(weights).name)
    return _set_types(found, *sum_range(low, high, weights))


def _narrow_thresholding(editor: Editor, found: Thresholding) -> bool:
    low, high = _input_range(found, found.channels)
    thresholds, values = found.thresholds(), found.values()
    changed = False
    if values is None:
        useful = np.any((thresholds > low[:, None]) & (thresholds <= high[:, None]), axis=0)
        always = int(np.all(thresholds <= low[:, None], axis=0).sum())
        if not useful.any():
            useful[:1], always = True, min(always, thresholds.shape[1] - 1)
        if not useful.all():
            # thresholds ascend: those of no use lie at either end
            kept = slice(always, always + int(np.flatnonzero(useful)[-1]) - always + 1)
            _replace_thresholds(editor, found, thresholds[:, kept], found.base + always)
            thresholds, changed = found.thresholds(), True
        table = Table(thresholds, int(found.attr("ActVal", 0)), None, -1)
        out_low, out_high = table_codes(table, low[None])[0], table_codes(table, high[None])[0]
    else:
        out_low = np.broadcast_to(values.min(axis=1), (found.channels,))
        out_high = np.broadcast_to(values.max(axis=1), (found.channels,))
    return _set_types(found, out_low, out_high) or changed


def _replace_thresholds(
    editor: Editor, found: Thresholding, thresholds: IntArray, base: int
) -> None:
    old = found.node.inputs[1]
    assert old is not None and old.const_value is not None
    array = thresholds.astype(old.const_value.numpy().dtype)
    found.node.replace_input_with(1, editor.initializer(f"{old.name}_pruned", array))
    kind = smallest_type(int(thresholds.min()), int(thresholds.max()))
    found.set_attrs(numSteps=thresholds.shape[1], ActVal=base, weightDataType=kind.name)
    found.base = base
