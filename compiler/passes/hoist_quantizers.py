# SPDX-License-Identifier: Apache-2.0
"""hoist-quantizers: values that no integers stand for are quantized before they are moved about."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import onnx_ir as ir

from qnnc.compiler.errors import Unsupported
from qnnc.compiler.integer.layout import OPERATORS as LAYOUTS
from qnnc.compiler.ir.edit import (
    Editor,
    attribute,
    constant,
    remove_unused,
    replace_value,
    shape_of,
)
from qnnc.compiler.ir.facts import integer, set_derived, set_must_rise
from qnnc.compiler.ir.quantizers import quantizer
from qnnc.compiler.passes.base import Pass
from qnnc.compiler.tails.collect import ELEMENTWISE, computed_inputs
from qnnc.compiler.tails.curves import curve

AFFINE = frozenset({"Add", "Sub", "Mul", "Div", "BatchNormalization"})
MAXIMA = frozenset({"MaxPool", "GlobalMaxPool"})
ANYWHERE = frozenset({"Resize", "Upsample"})
"""Operators that repeat elements of a channel."""
MIXING = frozenset({"DepthToSpace", "SpaceToDepth", "Slice"})
"""Operators after which an element may be of another channel."""
MOVERS = MAXIMA | ANYWHERE | MIXING | {"Concat"}


@dataclass
class HoistQuantizers(Pass):
    """Move a quantizer in front of the MaxPool, Concat or Resize before it where that must be.

    A Relu, say, and then a MaxPool of its output, and then the quantizer: no integer stands for
    what the MaxPool sees. It commutes with everything that does not fall, and operators that only
    move elements with every function of one element: the quantizer, and what is between the two,
    come first, and make one tail with what is before.
    """

    name = "hoist-quantizers"

    def run(self, model: ir.Model) -> bool:
        editor, changed = Editor(model.graph), False
        curved = _curved(model)
        for node in reversed(list(model.graph)):
            sources = computed_inputs(node)
            if not _moves(node) or not any(v in curved for v in sources):
                continue
            if attribute(node, "mode", "nearest") not in ("nearest", "constant", "DCR", "CRD"):
                continue  # an interpolation makes values that none of its inputs is
            for chain in list(_chains(node.outputs[0])):
                try:
                    _hoist(editor, node, chain)
                    changed = True
                except Unsupported as reason:
                    self.leave(node, f"{node.op_type} stays before its quantizer: {reason}")
        if changed:
            remove_unused(model)
        return changed


def _curved(model: ir.Model) -> set[ir.Value]:
    """Tensors computed from quantized ones that are not integers times a scale: what is after a
    Relu without a quantizer, or where branches meet."""
    state = {value: False for value in model.graph.inputs if integer(value) is not None}
    for node in model.graph:
        for value in node.outputs:
            if integer(value) is not None or quantizer(node) is not None:
                state[value] = False
        sources = computed_inputs(node)
        known = [state[value] for value in sources if value in state]
        if not known or node.outputs[0] in state:
            continue
        moves = _moves(node) or node.op_type in LAYOUTS
        if moves or (node.op_type in AFFINE and len(sources) == 1):
            curved = any(known) or len(known) < len(sources)
        elif node.op_type in ELEMENTWISE:
            curved = True
        elif any(known):
            continue  # a layer of what has no integers: refused later
        else:
            curved = False
        state.update(dict.fromkeys(node.outputs, curved))
    return {value for value, curved in state.items() if curved}


def _chains(value: ir.Value) -> Iterator[list[ir.Node]]:
    """The operators between a tensor and each quantizer after it, that included."""
    stack: list[tuple[ir.Value, list[ir.Node]]] = [(value, [])]
    while stack:
        source, before = stack.pop()
        for user, index in source.uses():
            if quantizer(user) is not None and index == 0:
                yield [*before, user]
            elif computed_inputs(user) == [source] and (
                user.op_type in ELEMENTWISE or user.op_type in LAYOUTS
            ):
                stack.append((user.outputs[0], [*before, user]))


def _hoist(editor: Editor, mover: ir.Node, chain: list[ir.Node]) -> None:
    """Write a chain in front of every computed input of the mover, and the mover after."""
    if len(mover.outputs) > 1 and mover.outputs[1].uses():
        raise Unsupported("its indices are used")
    _check(mover, chain)
    layouts = [node for node in chain if node.op_type in LAYOUTS]
    functions = [node for node in chain if node.op_type not in LAYOUTS]
    moved, place = list(mover.inputs), 0
    for index, source in enumerate(mover.inputs):
        if source is None or (index and mover.op_type != "Concat"):
            continue
        size = shape_of(source)[attribute(mover, "axis")] if mover.op_type == "Concat" else 0
        y = source
        for node in functions:
            part = _Part(mover, place, size)
            y = _copied(editor, mover, node, [y, *part.operands(editor, node, 1)], shape_of(y))
            if mover.op_type in MAXIMA and _rounds(node):
                set_must_rise(y)
        moved[index], place = y, place + size
    end = chain[-1].outputs[0]
    y = _copied(editor, mover, mover, moved, shape_of(mover.outputs[0]))
    for node in layouts:
        y = _copied(editor, mover, node, [y, *node.inputs[1:]], shape_of(node.outputs[0]))
    set_derived(y, False)
    replace_value(end, y)


def _check(mover: ir.Node, chain: list[ir.Node]) -> None:
    """Raise Unsupported unless the chain may be computed before the mover."""
    rank, reshaped = len(shape_of(mover.outputs[0])), False
    uniform = mover.op_type in MIXING
    for node in chain:
        if node.op_type in LAYOUTS:
            reshaped = True
            continue
        if computed_inputs(node)[0] is not node.inputs[0]:
            raise Unsupported(f"{node.op_type} has its constant first")
        if mover.op_type in MAXIMA and quantizer(node) is None and not _rises(node):
            raise Unsupported(
                f"{node.op_type} after it may fall, and the largest value would not stay so; "
                "put the quantizer in front"
            )
        allowed = set() if reshaped or uniform else _channel_axes(mover, rank)
        if not _varying(node, rank) <= allowed:
            raise Unsupported(f"parameters of {node.op_type} differ among elements that it moves")


def _channel_axes(mover: ir.Node, rank: int) -> set[int]:
    return {1 - rank, attribute(mover, "axis") - rank if mover.op_type == "Concat" else 1 - rank}


def _varying(node: ir.Node, rank: int) -> set[int]:
    """Axes, from the end, along which an operator's constants differ."""
    if node.op_type == "BatchNormalization":
        return {1 - rank}
    axes: set[int] = set()
    for value in node.inputs:
        array = constant(value)
        if array is not None:
            axes |= {axis - array.ndim for axis, size in enumerate(array.shape) if size > 1}
            axes |= {-array.ndim} if array.ndim > rank else set()
    return axes


def _rises(node: ir.Node) -> bool:
    """The operator, with its constants, never falls."""
    found = curve(node)
    return found is not None and found.never_falls


def _rounds(node: ir.Node) -> bool:
    """A library computes the operator, and may let it fall by its last bits."""
    found = curve(node)
    return found is not None and found.rounded > 0


def _moves(node: ir.Node) -> bool:
    """The operator gives elements of its inputs, as they are."""
    if node.op_type not in MOVERS:
        return False
    if node.op_type not in ANYWHERE:
        return True
    cropped = attribute(node, "coordinate_transformation_mode", "") == "tf_crop_and_resize"
    return attribute(node, "mode", "nearest") == "nearest" and not cropped


@dataclass(frozen=True)
class _Part:
    """The share of a Concat's axis that one of its inputs has."""

    mover: ir.Node
    start: int
    size: int

    def operands(self, editor: Editor, node: ir.Node, first: int) -> list[ir.Value | None]:
        """The operands from `first` on, those that differ along the axis cut to the share."""
        if self.mover.op_type != "Concat":
            return list(node.inputs[first:])
        rank = len(shape_of(self.mover.outputs[0]))
        axis = attribute(self.mover, "axis") % rank
        cut: list[ir.Value | None] = []
        for value in node.inputs[first:]:
            array = constant(value)
            along = axis - rank
            if node.op_type == "BatchNormalization" and array is not None:
                along = -1 if axis == 1 else -2
            if array is None or value is None or array.ndim < -along or array.shape[along] == 1:
                cut.append(value)
                continue
            share = array.take(range(self.start, self.start + self.size), axis=along)
            cut.append(editor.initializer(f"{value.name}_share", share))
        return cut


def _copied(
    editor: Editor,
    before: ir.Node,
    node: ir.Node,
    inputs: list[ir.Value | None],
    shape: tuple[int, ...],
) -> ir.Value:
    """The same operator on other inputs; the golden graph has no such tensor."""
    y = editor.copy(before, node, inputs, f"{node.outputs[0].name}_hoisted", shape=shape)
    set_derived(y)
    return y
