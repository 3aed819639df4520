# SPDX-License-Identifier: Apache-2.0
"""Which of FINN's operators can be read, and how: a node's facet `finn` says it in `READERS`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

import numpy as np

from qnnc.compiler.dataflow.registry import facet, foreign_names, lacks, our_names
from qnnc.compiler.errors import PluginError
from qnnc.frontends.finn.images import Window
from qnnc.frontends.finn.writer import Node, Writer

Reader = Callable[[Writer, Node, dict[str, Window]], None]
"""Writes what an operator computes; windows that have been met are kept by their tensors."""


def reader(operator: str) -> Reader | None:
    """How one of FINN's dataflow operators is read; None if no installed node does it.

    Raises:
        PluginError: a package's node is broken, or two nodes read the same operator.
    """
    ours = _ours()
    return ours[operator] if operator in ours else _foreign().get(operator)


@cache
def _ours() -> Mapping[str, Reader]:
    return _collected(our_names(), OPERATORS)


@cache
def _foreign() -> Mapping[str, Reader]:
    return _collected(foreign_names(), {})


def _collected(nodes: list[str], known: Mapping[str, Reader]) -> Mapping[str, Reader]:
    found = dict(known)
    for node in nodes:
        if lacks(node, "finn"):
            continue
        for operator, read in getattr(facet(node, "finn"), "READERS", {}).items():
            if operator in found:
                raise PluginError(f"dataflow node {node}: {operator} of FINN is read already")
            found[operator] = read
    return found


def passed(writer: Writer, node: Node, windows: dict[str, Window]) -> None:
    """What only moves words: the tensor itself, in as many copies as are wanted."""
    for output in node.outputs:
        if writer.is_first(node.inputs[0]):
            writer.give_first(output, writer.first(node.inputs[0]))
        else:
            writer.aliases[output] = writer.value(node.inputs[0])
        if node.inputs[0] in windows:
            windows[output] = windows[node.inputs[0]]


def reshape(writer: Writer, node: Node, windows: dict[str, Window]) -> None:
    """Reshape of finn-plus: the elements in their order."""
    shape = writer.constant(node.integers("out_shape"), np.int64)
    writer.op("Reshape", writer.value(node.inputs[0]), shape, output=node.outputs[0])


OPERATORS: Mapping[str, Reader] = {"Reshape": reshape, "TLastMarker": passed, "IODMA": passed}
"""Operators of FINN's that no node of ours is."""
