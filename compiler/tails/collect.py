# SPDX-License-Identifier: Apache-2.0
"""Finding a tail: the elementwise operators from an integer tensor to a quantizer's code."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import Enum

import numpy as np
import onnx_ir as ir

from qnnc.compiler.errors import Unsupported, quote
from qnnc.compiler.integer import layout
from qnnc.compiler.ir.edit import QNNC, constant, shape_of
from qnnc.compiler.ir.facts import integer
from qnnc.compiler.ir.operators.multi_threshold import table_of
from qnnc.compiler.ir.operators.states import is_read
from qnnc.compiler.tails.curves import KNOWN, Curve, added_to, curve
from qnnc.compiler.tails.gated import gated
from qnnc.compiler.tails.tables import is_table, tables_between

ELEMENTWISE = frozenset(KNOWN) | {
    "Reciprocal",
    "Log",
    "Sqrt",
    "Sin",
    "Cos",
    "Sinh",
    "Cosh",
    "Where",
    "Not",
    "Mod",
    "And",
    "Or",
    "Equal",
    "Swish",
    "Square",
}
"""Operators that compute each element from those in its place."""


class Place(Enum):
    """On which side of a tail's layout operators its parameters differ from place to place."""

    BEFORE = "before"
    AFTER = "after"
    BOTH = "both"


@dataclass(frozen=True)
class Tail:
    """A function of one integer, the same at every place but for the channel.

    Attributes:
        anchor: the integer tensor it starts from.
        codes: the integer tensor it ends in.
        nodes: its operators in order.
        layouts: those of its operators that only move elements.
        place: where its parameters are, relative to the layouts.
        axes: axes (negative) along which the function differs: of `anchor` if it differs before
            the layouts, of `codes` if after them, and all axes if on both sides.
        curves: of its operators in order, None for those that only move elements; or None where
            one of them has no curve that is known.
        exclusive: nothing else uses the anchor or anything inside.
        tables: threshold tables on the anchor that it goes through. Between their thresholds what
            they give is constant, and the curves are those of the other operators.
    """

    anchor: ir.Value
    codes: ir.Value
    nodes: tuple[ir.Node, ...]
    layouts: tuple[ir.Node, ...]
    place: Place
    axes: tuple[int, ...]
    curves: tuple[Curve | None, ...] | None
    exclusive: bool
    tables: tuple[ir.Node, ...] = ()

    @property
    def turns(self) -> bool:
        """It may both rise and fall, for all that is known."""
        if self.curves is None or self.tables:
            return True
        return any(c is not None and bool(c.cuts) for c in self.curves)


def is_tail_end(value: ir.Value) -> bool:
    """A quantizer's code that is still computed in floating point."""
    node = value.producer()
    if integer(value) is None or node is None or node.domain not in ("", QNNC):
        return False
    if is_read(node):
        return False
    return not any(v is not None and integer(v) is not None for v in node.inputs)


class SeveralAnchors(Unsupported):
    """The tail combines several integer tensors; the text names them."""


class FloatingInput(Exception):
    """The tail starts at a tensor that is not integer; the text names it."""


def collect(codes: ir.Value) -> Tail:
    """The tail that ends in `codes`.

    Raises:
        FloatingInput: it starts from a model input that is not integer.
        Unsupported: it has an operator that is not elementwise, or several starting points.
    """
    nodes, anchors = walk_back(codes, check_elementwise)
    if len(anchors) > 1 and (between := tables_between(anchors)):
        nodes, anchors = walk_back(codes, check_elementwise, between)
    if len(anchors) != 1:
        named = ", ".join(quote(v.name) for v in anchors)
        raise SeveralAnchors(f"it combines {len(anchors)} integer tensors ({named})")
    return _tail(anchors[0], codes, nodes)


def walk_back(
    codes: ir.Value, check: Callable[[ir.Node], None], between: Collection[ir.Value] = ()
) -> tuple[list[ir.Node], list[ir.Value]]:
    """The operators between integer tensors and `codes`, in order, and those tensors.

    Args:
        check: raises Unsupported for an operator that must not be there.
        between: integer tensors that are gone through.

    Raises:
        FloatingInput: one starts from a model input that is not integer.
        Unsupported: as `check` does.
    """
    nodes: list[ir.Node] = []
    seen: set[ir.Node] = set()
    anchors: dict[ir.Value, None] = {}
    producer = codes.producer()
    assert producer is not None
    stack: list[tuple[ir.Node, bool]] = [(producer, False)]
    while stack:
        node, done = stack.pop()
        if done:
            nodes.append(node)
        elif node not in seen:
            seen.add(node)
            check(node)
            stack.append((node, True))
            for value in computed_inputs(node):
                inner = value.producer()
                if integer(value) is not None and value not in between:
                    anchors[value] = None
                elif inner is None:
                    raise FloatingInput(str(value.name))
                else:
                    stack.append((inner, False))
    return nodes, list(anchors)


def check_elementwise(node: ir.Node) -> None:
    """Raise Unsupported for an operator that is neither elementwise nor moves elements."""
    known = node.op_type in ELEMENTWISE or node.op_type in layout.OPERATORS
    if is_table(node):
        return
    if node.domain not in ("", QNNC) or not known:
        raise Unsupported(f"{node.op_type} node {quote(node.name)} is not elementwise")


def computed_inputs(node: ir.Node) -> list[ir.Value]:
    """The inputs that are data, no constants."""
    data = node.inputs[:1] if node.op_type in layout.OPERATORS else node.inputs
    return [v for v in data if v is not None and constant(v) is None]


def _tail(anchor: ir.Value, codes: ir.Value, nodes: list[ir.Node]) -> Tail:
    layouts = tuple(node for node in nodes if node.op_type in layout.OPERATORS)
    chain = all(len(computed_inputs(node)) == 1 for node in nodes)
    if layouts and not chain and not _cut_paths(anchor, nodes, layouts):
        raise Unsupported("it reshapes on one of several paths")
    place, axes = _where_it_differs(anchor, codes, nodes)
    if np.prod(shape_of(anchor)) != np.prod(shape_of(codes)):
        raise Unsupported("it broadcasts its input to a larger tensor")
    tables = tuple(node for node in nodes if is_table(node))
    known = _curves_between_steps(anchor, nodes) if tables else _curves(nodes)
    own = set(nodes)
    inside = [anchor, *(v for node in nodes for v in node.outputs if v is not codes)]
    exclusive = all(user in own for value in inside for user, _ in value.uses()) and not any(
        value.is_graph_output() for value in inside
    )
    return Tail(
        anchor,
        codes,
        tuple(nodes),
        layouts,
        place,
        tuple(sorted(axes)),
        known,
        exclusive,
        tables,
    )


def _curves(nodes: list[ir.Node]) -> tuple[Curve | None, ...] | None:
    """The curves of a chain of operators, if all are known; written-out functions are one each."""
    written = gated(nodes)
    found: list[Curve | None] = []
    for node in nodes:
        if node.op_type in layout.OPERATORS or node in written.inside:
            found.append(None)
            continue
        known = written.curves.get(node) or curve(node)
        if known is None:  # `curve` knows none of what reads two computed tensors
            return None
        read = computed_inputs(node) if known.reads is None else [known.reads]
        if any(value.producer() in written.inside for value in read):
            return None
        found.append(known)
    return tuple(found)


def _curves_between_steps(
    anchor: ir.Value, nodes: list[ir.Node]
) -> tuple[Curve | None, ...] | None:
    """The curves of operators, None for those whose result is constant between the tables' steps;
    or None if the others are not a chain of known ones."""
    still: set[ir.Value] = set()
    found: list[Curve | None] = []
    for node in nodes:
        sources = computed_inputs(node)
        moving = [v for v in sources if v not in still]
        if not moving or (is_table(node) and moving == [anchor]):
            still.update(node.outputs)
            found.append(None)
            continue
        if len(moving) > 1 or is_table(node):
            return None
        known = curve(node) if len(sources) == 1 else added_to(node, moving[0])
        if known is None:
            return None
        found.append(known)
    return tuple(found)


def _where_it_differs(
    anchor: ir.Value, codes: ir.Value, nodes: list[ir.Node]
) -> tuple[Place, set[int]]:
    cuts = [i for i, node in enumerate(nodes) if node.op_type in layout.OPERATORS]
    axes: set[int] = set()
    varying = []
    for i, node in enumerate(nodes):
        if found := _varying_axes(node):
            axes |= found
            varying.append(i)
    if not cuts or not varying or varying[0] > cuts[-1]:
        if cuts and varying and not _ranks_fit(nodes[: cuts[-1]], codes):
            return Place.BOTH, _all_axes(anchor)
        return Place.AFTER, axes
    if varying[-1] < cuts[0] and _ranks_fit(nodes[cuts[0] :], anchor):
        return Place.BEFORE, axes
    return Place.BOTH, _all_axes(anchor)


def _all_axes(value: ir.Value) -> set[int]:
    shape = shape_of(value)
    return {axis for axis in range(1 - len(shape), 0) if shape[axis] > 1}


def _ranks_fit(nodes: list[ir.Node], value: ir.Value) -> bool:
    """Constants of these operators leave the rank of such a tensor as it is."""
    rank = len(shape_of(value))
    arrays = [constant(v) for n in nodes if n.op_type not in layout.OPERATORS for v in n.inputs]
    return all(array is None or array.ndim <= rank for array in arrays)


def _cut_paths(anchor: ir.Value, nodes: list[ir.Node], layouts: tuple[ir.Node, ...]) -> bool:
    """Every path through the tail leads through each of these nodes."""
    place = {node: i for i, node in enumerate(nodes)}
    reach = _last_use(anchor, place)  # how far the values so far are used
    for i, node in enumerate(nodes):
        if node in layouts and reach > i:
            return False
        reach = max(reach, *(_last_use(v, place) for v in node.outputs))
    return True


def _last_use(value: ir.Value, place: dict[ir.Node, int]) -> int:
    return max((place[user] for user, _ in value.uses() if user in place), default=0)


def _varying_axes(node: ir.Node) -> set[int]:
    if node.op_type in layout.OPERATORS:
        return set()
    if node.op_type == "BatchNormalization":
        source = node.inputs[0]
        assert source is not None
        return {1 - len(shape_of(source))}
    if is_table(node):
        table = table_of(node)
        return {table.axis} if table.thresholds.shape[0] > 1 else set()
    axes: set[int] = set()
    for value in node.inputs:
        array = constant(value)
        if array is not None:
            axes |= {axis - array.ndim for axis, size in enumerate(array.shape) if size > 1}
    return axes
