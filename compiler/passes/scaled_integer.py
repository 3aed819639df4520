# SPDX-License-Identifier: Apache-2.0
"""scaled-integer: linear operators move from scaled values to the integers behind them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from qnnc.compiler.errors import Unsupported, quote
from qnnc.compiler.integer import (
    affine,
    clip,
    conv,
    join,
    layout,
    matmul,
    move,
    pool,
    softmax,
)
from qnnc.compiler.integer.form import Form, own_form
from qnnc.compiler.ir.edit import Editor, constant, remove_unused, replace_value, shape_of
from qnnc.compiler.ir.facts import (
    is_derived,
    origin,
    reason,
    set_integer,
    sources,
    user_operator,
)
from qnnc.compiler.ir.operators import dequantize
from qnnc.compiler.passes.base import Pass

Linear = Callable[[Editor, ir.Node, Sequence[Form | None]], list[Form]]

LAYERS = frozenset({"MatMul", "Conv", "ConvTranspose"})
LINEAR: dict[str, Linear] = {
    "MatMul": matmul.apply,
    "Conv": conv.apply,
    "ConvTranspose": conv.apply_transposed,
    "MaxPool": pool.apply_max,
    "GlobalMaxPool": pool.apply_max,
    **dict.fromkeys(
        ("AveragePool", "GlobalAveragePool", "ReduceMean", "ReduceSum"), pool.apply_average
    ),
    "Add": join.add,
    "Sub": join.add,
    "Mul": join.multiply,
    "Concat": join.concat,
    **dict.fromkeys(
        ("Split", "Slice", "Resize", "Upsample", "Expand", "DepthToSpace", "SpaceToDepth", "Pad"),
        move.apply,
    ),
}
"""What computes an operator on integers, by its name."""


@dataclass
class ScaledInteger(Pass):
    """Compute linear operators on integers, scale and offset carried alongside.

    One walk in topological order keeps, for every tensor that is integer * scale + offset, that
    form. A linear operator on such tensors becomes one on integers followed by Dequantize.
    """

    name = "scaled-integer"
    folds = "it is in the constants: integers, whose scale goes on to what follows"

    def run(self, model: ir.Model) -> bool:
        editor = Editor(model.graph)
        forms: dict[ir.Value, Form] = {}
        changed = False
        for value in [*model.graph.inputs, *model.graph.initializers.values()]:
            _learn(forms, value)
        for node in list(model.graph):
            if node.domain == "":
                changed |= self._visit(editor, node, forms)
                if node.op_type == "Softmax":
                    changed |= self._softmax(model, editor, node, forms)
            for value in node.outputs:
                _learn(forms, value)
        remove_unused(model)
        return changed

    def _softmax(
        self, model: ir.Model, editor: Editor, node: ir.Node, forms: dict[ir.Value, Form]
    ) -> bool:
        """Compute the codes of the quantizer after a Softmax from those before it."""
        x = node.inputs[0]
        form = None if x is None else forms.get(x)
        try:
            codes = None if form is None else softmax.apply(model, editor, node, form)
        except Unsupported as why:
            self.leave(node, f"{user_operator(node)} stays in floating point: {why}")
            return False
        if codes is None:
            return False
        _learn(forms, codes)
        return True

    def _visit(self, editor: Editor, node: ir.Node, forms: dict[ir.Value, Form]) -> bool:
        given = [None if v is None else forms.get(v) for v in node.inputs]
        if all(form is None for form in given):
            if node.op_type in LAYERS:
                self.leave(node, _missing_quantizer(node, forms), _remedy(node, forms))
            return False
        try:
            index = next(i for i, form in enumerate(given) if form is not None)
            if node.op_type in affine.OPERATORS and _others_constant(node, index):
                form = given[index]
                assert form is not None
                result = affine.apply(node, form, index)
                forms[node.outputs[0]] = result
                if _stands_for_golden(node, result):
                    return _name_golden(editor, node, result, forms)
            elif node.op_type in layout.OPERATORS and index == 0:
                form = given[0]
                assert form is not None
                forms[node.outputs[0]] = layout.apply(editor, node, form)
            elif node.op_type in clip.OPERATORS:
                if clip.is_wanted(node, given[0], {*LINEAR, "Softmax"}):
                    return _computed(editor, node, clip.apply(editor, node, given), forms)
            elif node.op_type in LINEAR:
                if node.op_type in LAYERS and None in given[:2]:
                    text = _missing_quantizer(node, forms)
                    text = f"{user_operator(node)} stays in floating point: {text}"
                    self.leave(node, text, _remedy(node, forms))
                    return False
                return _computed(editor, node, LINEAR[node.op_type](editor, node, given), forms)
        except Unsupported as why:
            text, remedy = _cause(node, given, str(why))
            self.leave(node, f"{user_operator(node)} stays in floating point: {text}", remedy)
        return False


def _computed(
    editor: Editor, node: ir.Node, results: Sequence[Form], forms: dict[ir.Value, Form]
) -> bool:
    """Compute an operator's outputs from the integers that stand for them; a MaxPool's indices,
    which nobody uses, are left out."""
    for output, form in zip(list(node.outputs), results, strict=False):
        value = dequantize.insert(
            editor, node, form.base, form.scale, form.offset, shape_of(output), (node,)
        )
        replace_value(output, value)
        forms[value] = form
    return True


def _learn(forms: dict[ir.Value, Form], value: ir.Value) -> None:
    if value not in forms:
        form = own_form(value)
        if form is not None:
            forms[value] = form


def _stands_for_golden(node: ir.Node, form: Form) -> bool:
    """The first tensor after a sum that the golden graph has too, where it lacks the sum itself
    (the product inside a Gemm)."""
    fact = form.fact
    return fact.golden is None and not fact.quantized and not is_derived(node.outputs[0])


def _name_golden(editor: Editor, node: ir.Node, form: Form, forms: dict[ir.Value, Form]) -> bool:
    """Let the sum stand for the operator's output, and compute that from the sum at once."""
    output = node.outputs[0]
    set_integer(
        form.base,
        form.fact.with_(
            golden=output.name, scale=np.asarray(form.scale), offset=np.asarray(form.offset)
        ),
    )
    value = dequantize.insert(
        editor, node, form.base, form.scale, form.offset, shape_of(output), (node,)
    )
    replace_value(output, value)
    forms[value] = form
    return True


def _others_constant(node: ir.Node, index: int) -> bool:
    return all(
        constant(v) is not None for i, v in enumerate(node.inputs) if v is not None and i != index
    )


def _missing_quantizer(node: ir.Node, forms: dict[ir.Value, Form]) -> str:
    missing = [v for v in node.inputs[:2] if v is not None and v not in forms]
    what = " and ".join(
        f"its {'weights' if constant(v) is not None else 'input'} {_shown(v)}" for v in missing
    )
    made = [v.producer() for v in missing]
    why = next((f" ({reason(node)})" for node in made if node is not None and reason(node)), "")
    several = len(missing) > 1 or any(constant(v) is not None for v in missing)
    return f"{what} {'have' if several else 'has'} no quantizer{why}"


def _remedy(node: ir.Node, forms: dict[ir.Value, Form]) -> str:
    """What gives a layer the quantizer that it lacks."""
    missing = [v for v in node.inputs[:2] if v is not None and v not in forms]
    if any(constant(v) is not None for v in missing):
        if node.op_type == "ConvTranspose":
            return (
                "quantize its weights, in the QDQ format: ONNX Runtime's QOperator leaves "
                "ConvTranspose in floating point"
            )
        return "quantize its weights"
    if missing and _is_raw(missing[0]):
        return (
            "say with --input-type what the real input is (such as uint8 with --input-scale "
            "1/255), or put a quantizer before it"
        )
    return ""


def _cause(node: ir.Node, given: Sequence[Form | None], why: str) -> tuple[str, str]:
    """Where scales do not fit together: what joins them, and where a quantizer helps."""
    if node.op_type in ("Add", "Sub"):
        loose = [
            producer
            for value, form in zip(node.inputs, given, strict=False)
            if value is not None and form is not None and not form.fact.quantized
            and (producer := value.producer()) is not None and sources(producer)
        ]  # fmt: skip
        if loose and len(loose) < len(node.inputs):
            named = quote(sources(loose[0])[-1])
            return why.split(";")[0], f"put a quantizer after node {named}, before the two meet"
    form = given[0] if given else None
    joining = _concat_before(node)
    if node.op_type in LAYERS and form is not None and form.scale.size > 1 and joining is not None:
        scales = ", ".join(f"{s:.6g}" for s in np.unique(form.scale)[:4])
        name = quote(sources(joining)[-1] if sources(joining) else joining.name)
        return (
            f"its input comes from Concat node {name}, which joins tensors of scales {scales} that "
            "are not small multiples of a common one",
            f"let what Concat {name} joins go through one quantizer, or quantizers of one scale",
        )
    return why, ""


def _concat_before(node: ir.Node) -> ir.Node | None:
    """The Concat that a layer's input comes from, nothing but moves and scales between."""
    value = node.inputs[0]
    while value is not None:
        producer = value.producer()
        if producer is None or producer.op_type == "Concat":
            return producer
        value = producer.inputs[0] if producer.inputs else None
    return None


def _is_raw(value: ir.Value) -> bool:
    """A tensor that comes from the model's inputs without any layer between."""
    stack, seen = [value], set[ir.Value]()
    while stack:
        current = stack.pop()
        producer = current.producer()
        if current in seen or constant(current) is not None:
            continue
        seen.add(current)
        if producer is not None:
            if producer.op_type in LAYERS:
                return False
            stack += [v for v in producer.inputs if v is not None]
    return True


def _shown(value: ir.Value) -> str:
    """A tensor as the user's model calls it."""
    node = value.producer()
    if node is not None and is_derived(value) and sources(node):
        return f"(the output of node {quote(sources(node)[-1])})"
    return quote(origin(value))
