# SPDX-License-Identifier: Apache-2.0
"""integer-states: recurrences carry the codes of quantizers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from qnnc.compiler.errors import ModelError, quote
from qnnc.compiler.ir.edit import (
    QNNC,
    Editor,
    constant,
    remove_unused,
    replace_value,
    shape_of,
)
from qnnc.compiler.ir.facts import IntArray, Integer, integer, set_integer, sources
from qnnc.compiler.ir.operators.states import READ, WRITE, Loop, loop_of, loops_in
from qnnc.compiler.passes.base import Pass

CLOSE = 1e-3
"""How far a state divided by its scale may be from an integer, in steps."""


@dataclass
class IntegerStates(Pass):
    """Let every state of a recurrence be the integer code that its quantizer gives.

    The code's range holds for the state before each step too, so that ranges are closed: no
    fixpoint is needed.
    """

    name = "integer-states"

    def run(self, model: ir.Model) -> bool:
        loops = loops_in(model.graph)
        editor = Editor(model.graph)
        for loop in loops:
            _convert(editor, loop)
        if loops:
            remove_unused(model)
        return bool(loops)


def _convert(editor: Editor, loop: Loop) -> None:
    read, write = loop.read, loop.write
    chains = [_codes(write, value) for value in write.inputs]
    count = len(chains)
    facts, starts = [], []
    for index, (codes, _) in enumerate(chains):
        fact = integer(codes)
        assert fact is not None
        start = _start(read, read.inputs[len(read.inputs) - count + index], fact)
        low, high = min(fact.low.min(), start.min()), max(fact.high.max(), start.max())
        facts.append(Integer.of(low, high, fact.scale, fact.offset))
        operand = editor.initializer(f"{read.name}_start", start.astype(np.float32))
        set_integer(operand, Integer.of(start.min(), start.max()))
        starts.append(operand)
    shapes = [shape_of(codes) for codes, _ in chains]
    given = _states(editor, read, READ, [_integers(read.inputs[0]), *starts], facts, shapes, read)
    written = _states(editor, write, WRITE, [c for c, _ in chains], facts, shapes, write)
    for old, new, (codes, chain) in zip(read.outputs, given, chains, strict=True):
        replace_value(old, _copied(editor, read, codes, chain, new))
    for old, new, (codes, chain) in zip(write.outputs, written, chains, strict=True):
        replace_value(old, _copied(editor, write, codes, chain, new))


def _codes(write: ir.Node, value: ir.Value | None) -> tuple[ir.Value, list[ir.Node]]:
    """The quantizer's code that a state is computed from, and the operators from there."""
    chain: list[ir.Node] = []
    first = value
    while value is not None and integer(value) is None:
        node = value.producer()
        computed = [v for v in node.inputs if constant(v) is None] if node is not None else []
        if node is None or len(computed) != 1 or node.op_type in (READ, WRITE):
            value = None
            break
        chain.append(node)
        value = computed[0]
    if value is None or not (fact := integer(value)) or not fact.quantized:
        named = sources(write)[0] if sources(write) else write.name
        state = quote(first.name if first is not None else None)
        raise ModelError(
            f"node {quote(named)}: its state {state} has no quantizer; quantize what is carried "
            "from one step to the next"
        )
    return value, chain[::-1]


def _integers(value: ir.Value | None) -> ir.Value | None:
    """The integers that a tensor is computed from, if it is by operators of one input: a StateRead
    takes any sequence that depends on the model's input."""
    found = value
    while found is not None and integer(found) is None:
        node = found.producer()
        computed = [v for v in node.inputs if constant(v) is None] if node is not None else []
        if len(computed) != 1:
            return value
        found = computed[0]
    return found or value


def _start(read: ir.Node, value: ir.Value | None, fact: Integer) -> IntArray:
    """The initial state's codes."""
    named = sources(read)[0] if sources(read) else read.name
    array = constant(value)
    if array is None or value is None:
        raise ModelError(
            f"node {quote(named)}: its initial state is computed from the model's input; give a "
            "constant one, or none for zeros"
        )
    steps = (np.asarray(array, np.float64) - fact.offset) / fact.scale
    codes = np.rint(steps)
    if np.any(np.abs(steps - codes) > CLOSE):
        raise ModelError(
            f"node {quote(named)}: its initial state is not a value of the state's quantizer; give "
            "one that is (a state of one signed bit is never 0)"
        )
    return codes.astype(np.int64)


def _states(
    editor: Editor,
    before: ir.Node,
    op: str,
    inputs: list[ir.Value | None],
    facts: list[Integer],
    shapes: list[tuple[int, ...]],
    origin: ir.Node,
) -> list[ir.Value]:
    y = editor.insert(
        before,
        op,
        inputs,
        f"{origin.name}_codes",
        domain=QNNC,
        attributes={"loop": loop_of(origin)},
        origins=(origin,),
        outputs=len(facts),
    )
    node = y.producer()
    assert node is not None
    for value, fact, shape in zip(node.outputs, facts, shapes, strict=True):
        value.shape = ir.Shape(shape)
        set_integer(value, fact)
    return list(node.outputs)


def _copied(
    editor: Editor, before: ir.Node, codes: ir.Value, chain: list[ir.Node], new: ir.Value
) -> ir.Value:
    """The value that other codes stand for, by the same operators."""
    y = new
    for node in chain:
        inputs = [y if v is codes else v for v in node.inputs]
        y = editor.copy(before, node, inputs, f"{node.outputs[0].name}_state")
        codes = node.outputs[0]
    return y
