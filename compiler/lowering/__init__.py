# SPDX-License-Identifier: Apache-2.0
"""From integer operators to dataflow nodes.

Operators work on tensors as ONNX lays them out, channels first; dataflow nodes pass streams,
channels last. Here every tensor of the accelerator gets its stream, with the order of its
elements; operators that only move elements change that order and cost nothing, until a node
needs another one and a Shuffle puts it right.

A node's facet `lower` says in `LOWERINGS` which operators it makes, and how.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

from qnnc.compiler.dataflow.registry import facet, foreign_names, lacks, our_names
from qnnc.compiler.errors import PluginError
from qnnc.compiler.lowering import order
from qnnc.compiler.lowering.streams import Streams

Lowering = Callable[[Streams], None]


def lowering(operator: str) -> Lowering | None:
    """How an operator becomes dataflow nodes; None if no installed node does it.

    Raises:
        PluginError: a package's node is broken, or two nodes do the same operator.
    """
    ours = _ours()
    return ours[operator] if operator in ours else _foreign().get(operator)


@cache
def _ours() -> Mapping[str, Lowering]:
    return _collected(our_names(), order.LOWERINGS)


@cache
def _foreign() -> Mapping[str, Lowering]:
    return _collected(foreign_names(), {})


def _collected(nodes: list[str], known: Mapping[str, Lowering]) -> Mapping[str, Lowering]:
    found, makers = dict(known), dict[str, str]()
    for node in nodes:
        if lacks(node, "lower"):
            continue
        for operator, lower in getattr(facet(node, "lower"), "LOWERINGS", {}).items():
            if operator in found:
                raise PluginError(
                    f"dataflow nodes {makers.get(operator, 'of qnnc')} and {node} both make "
                    f"operator {operator}"
                )
            found[operator], makers[operator] = lower, node
    return found
