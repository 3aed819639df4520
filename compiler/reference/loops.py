# SPDX-License-Identifier: Apache-2.0
"""Recurrences in standard ONNX: a Scan over the steps' axis.

The body has the operators between StateRead and StateWrite, on tensors [N, 1, C] of one step.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

import numpy as np
import onnx_ir as ir

from qnnc.compiler.errors import ModelError, quote
from qnnc.compiler.ir.builder import PlainBuilder
from qnnc.compiler.ir.edit import shape_of
from qnnc.compiler.ir.operators.states import AXIS, Loop, is_read

BATCH = "N"
STEP = "@step"
"""Ends the names of tensors of one step."""


class Writer(Protocol):
    """Writes nodes into a plain graph."""

    builder: PlainBuilder
    map: dict[ir.Value, ir.Value]

    def value(self, value: ir.Value) -> ir.Value:
        """The plain graph's counterpart."""
        ...

    def copy(self, node: ir.Node) -> None:
        """Write a node."""
        ...


def write_loop(outer: Writer, step: Writer, loop: Loop, wanted: Collection[ir.Value]) -> None:
    """Write a recurrence as a Scan, and what its StateWrite gives.

    Args:
        outer: of the graph around it.
        step: of the Scan's body.
        wanted: tensors that are asked for besides those that the StateWrite takes.

    Raises:
        ModelError: the body uses a tensor that is not a sequence of as many steps.
    """
    states = [_known(v) for v in loop.write.inputs]
    inside = {v for node in loop.inside for v in node.outputs} | set(loop.read.outputs)
    used = [v for node in loop.inside for v in node.inputs] + states
    given = [v for v in dict.fromkeys(used) if v is not None and v not in inside]
    sequences = [v for v in given if not _is_fixed(v)]
    for value in sequences:
        shape = shape_of(value)
        if len(shape) < 2 or shape[AXIS] != loop.steps:
            raise ModelError(
                f"tensor {quote(value.name)} of shape {list(shape)} is used at every step of "
                f"{quote(loop.read.name)}, which has {loop.steps}"
            )
    if not sequences:
        raise ModelError(f"the recurrence {quote(loop.read.name)} takes no sequence")
    inputs = [_initial(outer, loop, i, sequences[0]) for i in range(len(states))]
    body_inputs = [_like(step, value, "state") for value in loop.read.outputs]
    step.map.update(zip(loop.read.outputs, body_inputs, strict=True))
    axes = step.builder.constant([AXIS], np.int64)
    for value in sequences:
        inputs.append(outer.value(value))
        piece = _like(step, value, "x")
        body_inputs.append(piece)
        step.map[value] = step.builder.op("Unsqueeze", piece, axes)
    for node in loop.inside:
        step.copy(node)
    gives = [v for v in dict.fromkeys([*states, *inside]) if v in wanted or v in states]
    body_outputs = [step.builder.op("Identity", step.value(v)) for v in states]
    body_outputs += [step.builder.op("Squeeze", step.value(v), axes) for v in gives]
    for index, (output, value) in enumerate(zip(body_outputs, [*states, *gives], strict=True)):
        _typed(output, value, whole=index < len(states))
    body = ir.Graph(body_inputs, body_outputs, nodes=step.builder.nodes, name=f"{loop.read.name}")
    results = outer.builder.ops(
        "Scan",
        len(body_outputs),
        *inputs,
        body=body,
        num_scan_inputs=len(sequences),
        scan_input_axes=[AXIS] * len(sequences),
        scan_output_axes=[AXIS] * len(gives),
    )
    for value, result in zip(gives, results[len(states) :], strict=True):
        result.name, result.type = value.name, value.type
        outer.map[value] = result


def _is_fixed(value: ir.Value) -> bool:
    """The tensor is a constant, or computed from constants alone."""
    stack, seen = [value], set[ir.Value]()
    while stack:
        current = stack.pop()
        if current in seen or current.const_value is not None:
            continue
        seen.add(current)
        node = current.producer()
        if node is None or is_read(node):
            return False
        stack += [v for v in node.inputs if v is not None]
    return True


def _known(value: ir.Value | None) -> ir.Value:
    assert value is not None
    return value


def _like(step: Writer, value: ir.Value, kind: str) -> ir.Value:
    """An input of the body for one step of a sequence."""
    made = ir.Value(name=f"{value.name}{STEP}/{kind}")
    _typed(made, value, whole=kind == "state")
    return made


def _typed(piece: ir.Value, value: ir.Value, *, whole: bool) -> None:
    """Type and shape of one step of a sequence, with the steps' axis (of length one) or without."""
    shape = shape_of(value)
    piece.type = value.type or ir.TensorType(ir.DataType.FLOAT)
    piece.shape = ir.Shape([BATCH, *([1] if whole else []), *shape[AXIS + 1 :]])


def _initial(outer: Writer, loop: Loop, index: int, sequence: ir.Value) -> ir.Value:
    """The state before the first step, for as many frames as a sequence has."""
    state = loop.read.outputs[index]
    start = loop.read.inputs[len(loop.read.inputs) - len(loop.read.outputs) + index]
    b, channels = outer.builder, shape_of(state)[-1]
    assert start is not None
    batch = b.op("Shape", outer.value(sequence), start=0, end=1)
    shape = b.op("Concat", batch, b.constant([1, channels], np.int64), axis=0)
    initial = b.op("Expand", outer.value(start), shape)
    if start.dtype != (state.dtype or ir.DataType.FLOAT):
        initial = b.op("Cast", initial, to=state.dtype or ir.DataType.FLOAT)
    return initial
