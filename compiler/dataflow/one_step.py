# SPDX-License-Identifier: Apache-2.0
"""A dataflow node of a recurrence as it is for one step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import onnx_ir as ir

from qnnc.compiler.dataflow import DataflowNode, Stream, declaration


@contextmanager
def one_step(node: ir.Node, steps: int) -> Iterator[DataflowNode]:
    """The node's declaration with sequences of one step instead of `steps`, while it is entered.

    Shapes among a node's attributes begin with the batch and the steps, [1, T, …].
    """
    before = dict(node.attributes)
    for name, attribute in before.items():
        if attribute.type == ir.AttributeType.INTS and list(attribute.value[:2]) == [1, steps]:
            node.attributes[name] = ir.AttrInt64s(name, [1, 1, *attribute.value[2:]])
    try:
        yield declaration(node)
    finally:
        node.attributes.clear()
        node.attributes.update(before)


def of_one_step(stream: Stream) -> Stream:
    """A stream of a sequence, for one step."""
    return replace(stream, shape=(1, 1, *stream.shape[2:]))
