# SPDX-License-Identifier: Apache-2.0
"""split-residuals: a layer of a sum of binary tensors becomes the sum of their layers."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from qnnc.compiler.errors import Unsupported
from qnnc.compiler.integer.join import common_grid
from qnnc.compiler.ir.edit import Editor, remove_unused, replace_value, shape_of
from qnnc.compiler.ir.facts import set_derived
from qnnc.compiler.ir.layouts import OPERATORS as LAYOUTS
from qnnc.compiler.ir.quantizers import quantizer
from qnnc.compiler.passes.base import Pass

LAYERS = frozenset({"MatMul", "Conv"})
MOST_TERMS = 8


@dataclass
class SplitResiduals(Pass):
    """Compute a layer of g0*b0 + g1*b1 + … term by term, where no grid holds the sums.

    With scales that are small multiples of each other (1, 1/2, 1/4) the sum is one tensor of a
    few bits, and stays. Otherwise each binary term meets the binary weights by XNOR and popcount,
    which takes a bit for each term, where the sum would take the bits of the scales.
    """

    name = "split-residuals"

    def run(self, model: ir.Model) -> bool:
        editor, changed = Editor(model.graph), False
        for node in list(model.graph):
            if node.op_type not in LAYERS or node.domain != "":
                continue
            terms, layouts = _terms(node.inputs[0])
            if len(terms) > 1 and not _on_a_grid(terms):
                _split(editor, node, terms, layouts)
                changed = True
        if changed:
            remove_unused(model)
        return changed


def _terms(value: ir.Value | None) -> tuple[list[ir.Value], list[ir.Node]]:
    """The binary tensors that a tensor is the sum of, and what moves the sum's elements after;
    no tensors if it is anything else."""
    layouts: list[ir.Node] = []
    while value is not None and (node := value.producer()) and node.op_type in LAYOUTS:
        layouts.append(node)
        value = node.inputs[0]
    terms: list[ir.Value] = []
    stack = [value]
    while stack:
        current = stack.pop()
        producer = current.producer() if current is not None else None
        if current is None or producer is None or len(terms) == MOST_TERMS:
            return [], []
        if producer.op_type == "Add" and producer.domain == "":
            stack += [producer.inputs[1], producer.inputs[0]]
        elif producer.op_type == "BipolarQuant" and quantizer(producer) is not None:
            terms.append(current)
        else:
            return [], []
    return terms, layouts[::-1]


def _on_a_grid(terms: list[ir.Value]) -> bool:
    found = [quantizer(node) for value in terms if (node := value.producer()) is not None]
    try:
        common_grid([q.scale for q in found if q is not None])
    except Unsupported:
        return False
    return True


def _split(editor: Editor, layer: ir.Node, terms: list[ir.Value], layouts: list[ir.Node]) -> None:
    """Write the layer of every term, and their sum in the layer's place. A bias is added once."""
    output, total = layer.outputs[0], None
    for number, term in enumerate(terms):
        x = term
        for node in layouts:
            x = _copied(editor, layer, node, [x, *node.inputs[1:]])
        inputs = list(layer.inputs) if number == 0 else list(layer.inputs[:2])
        part = _copied(editor, layer, layer, [x, *inputs[1:]])
        if total is None:
            total = part
            continue
        total = editor.insert(
            layer,
            "Add",
            [total, part],
            f"{output.name}_terms",
            shape=shape_of(output),
            origins=(layer,),
        )
        set_derived(total)
    assert total is not None
    set_derived(total, False)
    replace_value(output, total)


def _copied(
    editor: Editor, before: ir.Node, node: ir.Node, inputs: list[ir.Value | None]
) -> ir.Value:
    """The same operator on another input; the golden graph has no such tensor."""
    y = editor.copy(before, node, inputs, f"{node.outputs[0].name}_term")
    set_derived(y)
    return y
