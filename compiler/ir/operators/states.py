# SPDX-License-Identifier: Apache-2.0
"""StateRead and StateWrite: the two ends of a recurrence, in a graph without cycles.

A sequence is a tensor [1, T, C]. StateWrite gives its inputs [1, T, C] on as they are; StateRead of
the same `loop` gives, for each of them, what it was one step before: the initial state [C] at step
0, and what was written at step t - 1 at step t. What lies between the two depends on itself, one
step at a time; every operator there treats the steps alike.

    StateRead   inputs x (any tensor of the sequence, for its batch), an initial state for each
                output; outputs the states before each step
    StateWrite  inputs the states after each step; outputs the same
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import onnx_ir as ir

from qnnc.compiler.errors import ModelError, quote
from qnnc.compiler.ir.builder import Builder
from qnnc.compiler.ir.edit import FINN, QNNC, ancestors, attribute, shape_of

READ, WRITE = "StateRead", "StateWrite"
AXIS = 1
"""The steps' axis of a sequence."""


def is_read(node: ir.Node) -> bool:
    """The node gives states of the step before."""
    return _is_end(node, READ, "read")


def is_write(node: ir.Node) -> bool:
    """The node takes states for the next step."""
    return _is_end(node, WRITE, "write")


def _is_end(node: ir.Node, operator: str, end: str) -> bool:
    """The operator itself, or the dataflow node that it becomes."""
    if node.domain == FINN:
        return str(attribute(node, "loop_end", "")) == end
    return node.domain == QNNC and node.op_type == operator


def loop_of(node: ir.Node) -> str:
    """Which recurrence a StateRead or StateWrite belongs to."""
    return str(attribute(node, "loop"))


@dataclass(frozen=True)
class Loop:
    """A recurrence.

    Attributes:
        read: its StateRead.
        write: its StateWrite.
        inside: nodes between: those that depend on the one and that the other depends on, in order.
        steps: of its sequences.
    """

    read: ir.Node
    write: ir.Node
    inside: tuple[ir.Node, ...]
    steps: int


def loops_in(nodes: Iterable[ir.Node]) -> list[Loop]:
    """The recurrences whose StateRead is among `nodes`, given in topological order.

    Raises:
        ModelError: the StateWrite of one is not.
    """
    listed = list(nodes)
    if not any(is_read(node) for node in listed):
        return []
    writes = {loop_of(node): node for node in listed if is_write(node)}
    found = []
    for read in listed:
        if not is_read(read):
            continue
        write = writes.get(loop_of(read))
        if write is None:
            raise ModelError(f"node {quote(read.name)} reads a state that is never written")
        after = _descendants(read, listed)
        before = ancestors([write])
        inside = tuple(n for n in listed if n in after and n in before)
        found.append(Loop(read, write, inside, shape_of(read.outputs[0])[AXIS]))
    return found


def reference(node: ir.Node, b: Builder, inputs: Sequence[ir.Value]) -> list[ir.Value]:
    """What a StateWrite gives, some of it twice in hardware.

    Raises:
        ModelError: a StateRead has no StateWrite.
    """
    if is_read(node):
        raise ModelError(f"node {quote(node.name)} cannot be written without its StateWrite")
    count = len(inputs)
    return [b.op("Identity", inputs[i % count]) for i in range(len(node.outputs))]


def _descendants(start: ir.Node, nodes: list[ir.Node]) -> set[ir.Node]:
    known = set(start.outputs)
    found: set[ir.Node] = set()
    for node in nodes:
        if any(value in known for value in node.inputs):
            found.add(node)
            known.update(node.outputs)
    return found
