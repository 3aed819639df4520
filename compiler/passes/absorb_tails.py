# SPDX-License-Identifier: Apache-2.0
"""absorb-tails: batch norm, bias, activation and quantizer become one threshold table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from qnnc.compiler.datatypes import type_of_values
from qnnc.compiler.errors import ModelError, Unsupported, quote
from qnnc.compiler.integer import layout
from qnnc.compiler.integer.arithmetic import of_two, with_constant
from qnnc.compiler.ir.edit import (
    Editor,
    constant,
    remove_unused,
    replace_value,
    shape_of,
)
from qnnc.compiler.ir.facts import (
    BISECTED,
    EXHAUSTIVE,
    Integer,
    integer,
    must_rise,
    set_evaluated,
    set_integer,
    sources,
)
from qnnc.compiler.ir.intervals import Interval
from qnnc.compiler.ir.operators import multi_threshold
from qnnc.compiler.passes.base import Pass
from qnnc.compiler.tails.bisection import check_steps
from qnnc.compiler.tails.collect import (
    FloatingInput,
    Place,
    SeveralAnchors,
    Tail,
    collect,
    computed_inputs,
    is_tail_end,
)
from qnnc.compiler.tails.evaluate import evaluate
from qnnc.compiler.tails.evaluator import Steps
from qnnc.compiler.tails.pairs import collect_pair, evaluate_pair
from qnnc.compiler.tails.table import (
    SeveralAxes,
    along_one_axis,
    everywhere,
    falling_channels,
    keeps_direction,
    make_table,
    mirrored,
)
from qnnc.compiler.tails.tables import tables_between


@dataclass
class AbsorbTails(Pass):
    """Turn every elementwise tail between an integer result and a quantizer into thresholds.

    Options:
        max_elements: integers, channels counted each, up to which a range is evaluated
            throughout; beyond it thresholds are found by bisection.
        max_thresholds: thresholds of a channel beyond which a tail is left alone.
        flat_thresholds: those of a frame beyond which a tail is that differs along several axes.
    """

    name = "absorb-tails"
    folds = "it is in a table of integers"
    max_elements: int = 1 << 24
    max_thresholds: int = 4096
    flat_thresholds: int = 1 << 20

    def run(self, model: ir.Model) -> bool:
        editor = Editor(model.graph)
        ends = [v for node in model.graph for v in node.outputs if is_tail_end(v)]
        changed = False
        for codes in ends:
            producer = codes.producer()
            assert producer is not None
            try:
                self._absorb_any(model, editor, codes)
                changed = True
            except FloatingInput as start:
                if not sources(producer):
                    continue  # put there by declare-input
                raw = all(integer(value) is None for value in model.graph.inputs)
                self.leave(
                    producer,
                    f"its input {start} is not quantized",
                    "say with --input-type what the real input is"
                    if raw
                    else "put a quantizer before it",
                )
            except Unsupported as reason:
                self.leave(producer, f"the function before this quantizer stays: {reason}")
        changed |= self._merge_sums(model, editor)
        remove_unused(model)
        return changed

    def _merge_sums(self, model: ir.Model, editor: Editor) -> bool:
        """Make sums of tables of one integer (the terms of a residual quantizer) one table."""
        changed = False
        for node in list(model.graph):
            total = node.outputs[0]
            if node.op_type not in ("Add", "Sub") or integer(total) is None:
                continue
            parts = computed_inputs(node)
            if len(parts) < 2 or not tables_between(parts) >= set(parts):
                continue
            try:
                self._absorb(model, editor, collect(total))
                changed = True
            except Unsupported as reason:
                self.leave(node, f"this sum of codes stays: {reason}")
        return changed

    def _absorb_any(self, model: ir.Model, editor: Editor, codes: ir.Value) -> None:
        try:
            tail = collect(codes)
        except SeveralAnchors:
            self._absorb_pair(model, editor, codes)
        else:
            self._absorb(model, editor, tail)

    def _absorb_pair(self, model: ir.Model, editor: Editor, codes: ir.Value) -> None:
        tail = collect_pair(codes)
        found = evaluate_pair(model, tail, self.max_elements)
        check_steps(found.table.thresholds.shape[1], self.max_thresholds)
        before, fact = tail.nodes[-1], integer(codes)
        assert fact is not None
        operands = [
            scaled(editor, before, value, factor)
            for value, factor in zip(tail.anchors, found.factors, strict=True)
        ]
        sums = Interval.of(found.low, found.high)
        total = of_two(editor, before, operands, "Add", sums, f"{codes.name}_sum", tail.nodes)
        set_integer(total, Integer.of(found.low, found.high))
        name = f"{codes.name}_thresholds"
        y = multi_threshold.insert(editor, before, total, found.table, name, tail.nodes)
        _say_how(y, exhaustive=True)
        low, high = found.table.base, found.table.base + found.table.thresholds.shape[1]
        set_integer(y, fact.with_(low=np.asarray(low), high=np.asarray(high), datatype=None))
        replace_value(codes, y)

    def _absorb(self, model: ir.Model, editor: Editor, tail: Tail) -> None:
        steps = evaluate(model, tail, self.max_elements, self.max_thresholds)
        exhaustive = steps.exhaustive
        _check_range(tail, steps)
        if any(must_rise(node.outputs[0]) for node in tail.nodes):
            _check_rising(tail, steps)
        axis = tail.axes[0] if tail.axes else -1
        if len(tail.axes) > 1 and tail.place is Place.BOTH:
            try:
                steps, axis = along_one_axis(steps, shape_of(tail.anchor)[1:])
            except SeveralAxes:
                self._insert_flat(editor, replace(tail, place=Place.BEFORE), steps)
                return
        elif len(tail.axes) > 1:
            self._insert_flat(editor, tail, everywhere(steps, tail))
            return
        falling = falling_channels(steps)
        flips = bool(falling.any()) and _can_flip(tail, falling)
        if flips:
            steps = mirrored(steps, falling, _sum_of_both(tail))
        table = make_table(steps, axis)
        check_steps(table.thresholds.shape[1], self.max_thresholds)
        if flips:  # only now: a tail that is refused must find its weights as they were
            _flip(editor, tail, falling)
        self._insert(editor, tail, table, exhaustive)

    def _insert_flat(self, editor: Editor, tail: Tail, steps: Steps) -> None:
        """A table with a row for every element of a frame, which goes through it flat."""
        table = make_table(steps, -1)
        check_steps(table.thresholds.shape[1], self.max_thresholds)
        if table.thresholds.shape[0] > 1 and table.thresholds.size > self.flat_thresholds:
            raise Unsupported(
                "its parameters differ along several axes, so that a table for every element would "
                f"have {table.thresholds.size} thresholds, {self.flat_thresholds} are the most; "
                "quantize to fewer bits, or let them differ along one axis only"
            )
        self._insert(editor, tail, table, steps.exhaustive, flat=True)

    def _insert(
        self,
        editor: Editor,
        tail: Tail,
        table: multi_threshold.Table,
        exhaustive: bool,
        *,
        flat: bool = False,
    ) -> None:
        """Put the table on the side of the layout operators on which its channels lie.

        Args:
            exhaustive: it was evaluated at every integer.
            flat: it has a row for every element.
        """
        fact = integer(tail.codes)
        assert fact is not None
        name = f"{tail.codes.name}_thresholds"
        if table.values is None:
            low, high = table.base, table.base + table.thresholds.shape[1]
        else:
            low, high = int(table.values.min()), int(table.values.max())
        fact = fact.with_(low=np.asarray(low), high=np.asarray(high), datatype=None)
        if tail.layouts and tail.place is not Place.AFTER:
            x = _flattened(editor, tail, tail.anchor) if flat else tail.anchor
            y = multi_threshold.insert(editor, tail.nodes[-1], x, table, name, tail.nodes)
            _say_how(y, exhaustive)
            set_integer(y, Integer.of(low, high))
            y = _shaped(editor, tail, y, shape_of(tail.anchor)) if flat else y
            y = _rearranged(editor, tail, y)
        else:
            x = _rearranged(editor, tail, tail.anchor)
            x = _flattened(editor, tail, x) if flat else x
            y = multi_threshold.insert(editor, tail.nodes[-1], x, table, name, tail.nodes)
            _say_how(y, exhaustive)
            if flat:
                set_integer(y, Integer.of(low, high))
                y = _shaped(editor, tail, y, shape_of(tail.codes))
        set_integer(y, fact)
        replace_value(tail.codes, y)


def _say_how(table: ir.Value, exhaustive: bool) -> None:
    node = table.producer()
    assert node is not None
    set_evaluated(node, EXHAUSTIVE if exhaustive else BISECTED)


def _flattened(editor: Editor, tail: Tail, x: ir.Value) -> ir.Value:
    """A tensor as one vector a frame."""
    return _shaped(editor, tail, x, (1, math.prod(shape_of(x))))


def _shaped(editor: Editor, tail: Tail, x: ir.Value, shape: Sequence[int]) -> ir.Value:
    operand = editor.initializer(f"{x.name}_shape", np.asarray(shape, dtype=np.int64))
    y = editor.insert(
        tail.nodes[-1],
        "Reshape",
        [x, operand],
        f"{x.name}_shaped",
        shape=shape,
        dtype=x.dtype or ir.DataType.FLOAT,
    )
    fact = integer(x)
    assert fact is not None
    set_integer(y, Integer.of(fact.low.min(), fact.high.max()))
    return y


def _rearranged(editor: Editor, tail: Tail, x: ir.Value) -> ir.Value:
    """An integer tensor after the layout operators of a tail."""
    for node in tail.layouts:
        fact = integer(x)
        if fact is not None:
            fact = layout.arranged(node, fact, shape_of(x))
        x = editor.copy(
            tail.nodes[-1],
            node,
            [x, *node.inputs[1:]],
            f"{x.name}_moved",
            dtype=x.dtype or ir.DataType.FLOAT,
        )
        set_integer(x, _whole(fact))
    return x


def scaled(editor: Editor, before: ir.Node, x: ir.Value, factor: int) -> ir.Value:
    """An integer tensor times a constant."""
    if factor == 1:
        return x
    return with_constant(editor, before, x, "Mul", np.asarray(factor))


def _whole(fact: Integer | None) -> Integer | None:
    """A fact whose range holds for the whole tensor, whatever its shape."""
    if fact is None:
        return None
    if fact.scale.size > 1 or fact.offset.size > 1:
        fact = fact.with_(golden=None, scale=np.ones(()), offset=np.zeros(()))
    return fact.with_(low=np.asarray(fact.low.min()), high=np.asarray(fact.high.max()))


def _check_range(tail: Tail, steps: Steps) -> None:
    """Raise ModelError if a code lies outside of what is claimed of it: a Trunc does not clamp, and
    its range is that of the bits that it says its input has."""
    fact = integer(tail.codes)
    assert fact is not None
    codes = np.concatenate([steps.first, *steps.to])
    low, high = int(codes.min()), int(codes.max())
    least, greatest = int(fact.low.min()), int(fact.high.max())
    if low < least or high > greatest:
        raise ModelError(
            f"node {quote(', '.join(sources(tail.nodes[-1])))}: its integers are {low} to {high}, "
            f"but its bit widths allow {least} to {greatest}: its input has more bits than it "
            "says; give it as many input bits as the quantizer before it needs"
        )


def _check_rising(tail: Tail, steps: Steps) -> None:
    """Raise Unsupported unless the code follows the order of what a maximum is taken of."""
    if tail.turns or not keeps_direction(steps):
        raise Unsupported(
            "a maximum is taken before a function that rounding lets fall where its code changes; "
            "put a quantizer before the maximum"
        )


def _can_flip(tail: Tail, falling: NDArray[np.bool_]) -> bool:
    """Weights can change sign so that the tail rises: nobody else sees the sum, and the negated
    weights fit the same type."""
    producer = tail.anchor.producer()
    if producer is None or not tail.exclusive or tail.layouts:
        return False
    if producer.op_type not in ("MatMul", "XnorPopcountMatMul"):
        return False
    weights = constant(producer.inputs[1])
    if weights is None or tail.axes != (-1,) or len(falling) != weights.shape[1]:
        return False
    if producer.op_type == "XnorPopcountMatMul":
        return True
    flipped = np.where(falling, -weights, weights)
    return bool(type_of_values(flipped).bitwidth() <= type_of_values(weights).bitwidth())


def _sum_of_both(tail: Tail) -> int:
    """What a sum and the one with negated weights add up to."""
    producer = tail.anchor.producer()
    assert producer is not None
    weights = constant(producer.inputs[1])
    assert weights is not None
    return int(weights.shape[0]) if producer.op_type == "XnorPopcountMatMul" else 0


def _flip(editor: Editor, tail: Tail, falling: NDArray[np.bool_]) -> None:
    """Negate the weights of falling channels."""
    node, fact = tail.anchor.producer(), integer(tail.anchor)
    assert node is not None and fact is not None
    weights, old = constant(node.inputs[1]), node.inputs[1]
    assert weights is not None and old is not None
    xnor = node.op_type == "XnorPopcountMatMul"
    about = _sum_of_both(tail)
    flipped = np.where(falling, 1 - weights if xnor else -weights, weights)
    renewed = editor.initializer(f"{old.name}_flipped", flipped.astype(weights.dtype))
    weight_fact = integer(old)
    assert weight_fact is not None
    set_integer(
        renewed,
        weight_fact.with_(
            low=np.asarray(flipped.min()).astype(np.int64),
            high=np.asarray(flipped.max()).astype(np.int64),
            datatype=weight_fact.datatype if xnor else type_of_values(flipped),
        ),
    )
    node.replace_input_with(1, renewed)
    low, high, scale, offset = fact.low, fact.high, fact.scale, fact.offset
    set_integer(
        tail.anchor,
        fact.with_(
            low=np.where(falling, about - high, low),
            high=np.where(falling, about - low, high),
            scale=np.where(falling, -scale, scale),
            offset=np.where(falling, offset + scale * about, offset),
        ),
    )
