# SPDX-License-Identifier: Apache-2.0
"""absorb-top-k: a TopK over scores becomes one over the integers behind them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from qnnc.compiler.errors import Unsupported, quote
from qnnc.compiler.integer.arithmetic import with_constant
from qnnc.compiler.ir.edit import Editor, attribute, remove_unused, shape_of
from qnnc.compiler.ir.facts import integer
from qnnc.compiler.passes.base import Pass
from qnnc.compiler.tails.collect import is_tail_end
from qnnc.compiler.tails.order import OrderMap, order_map
from qnnc.compiler.tails.scores import ScoreTail, collect_scores

TOP_K = ("TopK", "ArgMax")


@dataclass
class AbsorbTopK(Pass):
    """Let TopK and ArgMax compare integers, with per-channel scale and bias as integers too.

    Options:
        max_elements: integers, channels counted each, whose order is checked one by one.
        max_bits: bits of the fixed-point scale and bias.
    """

    name = "absorb-top-k"
    folds = "it does not change the order of the scores, of which only labels are taken"
    max_elements: int = 1 << 23
    max_bits: int = 24

    def run(self, model: ir.Model) -> bool:
        editor = Editor(model.graph)
        changed = False
        for node in list(model.graph):
            if node.domain == "" and node.op_type in TOP_K:
                try:
                    changed |= self._absorb(model, editor, node)
                except Unsupported as reason:
                    self.leave(node, f"{node.op_type} stays on the host: {reason}")
        remove_unused(model)
        return changed

    def _absorb(self, model: ir.Model, editor: Editor, node: ir.Node) -> bool:
        scores = node.inputs[0]
        if scores is None or integer(scores) is not None:
            return False
        rank = len(shape_of(scores))
        if attribute(node, "axis", 0 if node.op_type == "ArgMax" else -1) not in (-1, rank - 1):
            raise Unsupported("it ranks along another axis than the last")
        if node.op_type == "TopK" and node.outputs[0].uses():
            raise Unsupported("its scores are used, not only its labels")
        if attribute(node, "largest", 1) != 1 or attribute(node, "select_last_index", 0) != 0:
            raise Unsupported("only the largest, lowest index first, can be selected")
        tail = collect_scores(scores)
        if is_tail_end(tail.anchor):
            raise Unsupported(f"the quantizer before it, {quote(tail.anchor.name)}, stays there")
        mapping = order_map(model, tail, self.max_elements, self.max_bits)
        node.replace_input_with(0, _apply(editor, node, tail, mapping))
        return True


def _apply(editor: Editor, node: ir.Node, tail: ScoreTail, mapping: OrderMap) -> ir.Value:
    # labels come out the same, scores do not: no golden tensor matches these integers
    y = tail.anchor
    if np.any(mapping.factor != 1):
        y = with_constant(editor, node, y, "Mul", mapping.factor)
    if np.any(mapping.addend != 0):
        y = with_constant(editor, node, y, "Add", mapping.addend)
    return y
