# SPDX-License-Identifier: Apache-2.0
"""Thresholding in FINN, both ways.

Threshold tables with values become counts of thresholds that only rise. Where a channel's codes
fall (a negative scale before its activation), FINN turns the signs of the weights that the channel
comes from: with x' = -x, or the number of unequal pairs for that of the equal ones, the codes rise.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from qnnc.backends.finn.facet import ToFinn, replace_constant, to_finn
from qnnc.compiler.dataflow import DataflowNode, Role
from qnnc.compiler.dataflow.stream_graph import StreamGraph
from qnnc.compiler.datatypes import smallest_type
from qnnc.compiler.errors import ModelError, quote
from qnnc.compiler.ir.facts import IntArray
from qnnc.frontends.finn.images import Window
from qnnc.frontends.finn.operators import Reader
from qnnc.frontends.finn.sums import give_codes
from qnnc.frontends.finn.writer import Node, Writer
from qnnc.nodes.thresholding.node import Thresholding

LOOKED_UP = (
    "FINN's Thresholding counts thresholds; it cannot look up values of a function that is not "
    "monotone"
)


class Finn(ToFinn):
    """Counts of thresholds that only rise, base added."""

    attributes = (
        "PE NumChannels numSteps inputDataType weightDataType outputDataType numInputVectors ActVal"
    )
    style = "rtl"
    node: Thresholding

    def prepare(self, graph: StreamGraph, index: int) -> None:
        if self.node.values() is not None:
            _rewrite(graph, index, self.node)

    def refusal(self) -> str:
        return "" if self.node.values() is None else LOOKED_UP


def _rewrite(graph: StreamGraph, index: int, node: Thresholding) -> None:
    thresholds, values = node.thresholds(), node.values()
    assert values is not None
    rows = max(len(thresholds), len(values))
    thresholds, values = (np.broadcast_to(a, (rows, a.shape[1])) for a in (thresholds, values))
    steps = np.diff(values, axis=1)
    falling: NDArray[np.bool_] = np.asarray(
        (steps <= 0).all(axis=1) & (steps < 0).any(axis=1), dtype=bool
    )
    if not ((steps >= 0).all(axis=1) | falling).all():
        raise ModelError(f"node {quote(node.name)}: {LOOKED_UP}")
    low, high = int(values.min()), int(values.max())
    found, top = thresholds, 0
    kind = node.x_type
    if falling.any():
        if rows == 1:
            falling = np.repeat(falling, node.channels)
            thresholds, values = (np.repeat(a, node.channels, axis=0) for a in (thresholds, values))
        source, finn = _source(graph, index)
        top = finn.negate(falling, node.x_type)
        kind = source.ports(source.folding()).outputs[0].datatype
    ends = (int(kind.min()), int(kind.max()) + 1)
    found = _counts(thresholds, values, falling, top, (low, high), ends)
    replace_constant(node.node, 1, found)
    node.node.resize_inputs(2)
    for name in ("impl_style", "resType"):
        node.node.attributes.pop(name, None)
    node.steps, node.base = found.shape[1], low
    node.x_type, node.threshold_type = kind, smallest_type(int(found.min()), int(found.max()))


def _counts(
    thresholds: IntArray,
    values: IntArray,
    falling: NDArray[np.bool_],
    top: int,
    codes: tuple[int, int],
    ends: tuple[int, int],
) -> IntArray:
    """For each channel and code above the least the least x that gives it; a falling channel's x
    being `top` - x.

    Args:
        ends: thresholds that all inputs reach, and that none does.
    """
    found = np.empty((len(thresholds), codes[1] - codes[0]), dtype=np.int64)
    for row, (steps, reached, falls) in enumerate(zip(thresholds, values, falling, strict=True)):
        for column, code in enumerate(range(codes[0] + 1, codes[1] + 1)):
            at_least = np.flatnonzero(reached >= code)
            if not at_least.size:
                found[row, column] = ends[1]
            elif falls:  # up to just below the step after the last such value
                last = int(at_least[-1])
                found[row, column] = ends[0] if last == len(steps) else top - steps[last] + 1
            else:
                first = int(at_least[0])
                found[row, column] = ends[0] if first == 0 else steps[first - 1]
    return np.clip(found, *ends)


def _source(graph: StreamGraph, index: int) -> tuple[DataflowNode, ToFinn]:
    """The product right before a node."""
    at = index
    while True:
        edges = [e for e in graph.edges if e.target is not None and e.target.node == at]
        if len(edges) != 1 or edges[0].source is None:
            break
        at = edges[0].source.node
        if sum(e.source is not None and e.source.node == at for e in graph.edges) > 1:
            break
        source = graph.nodes[at]
        found = to_finn(source)
        if source.role in (Role.PRODUCT, Role.CHANNEL_PRODUCT):
            return source, found
        if not found.inserted:
            break
    raise ModelError(
        f"node {quote(graph.nodes[index].name)}: some of its channels fall; FINN's Thresholding "
        "cannot, and no layer with weights stands right before it to take the sign"
    )


def read(writer: Writer, node: Node, windows: dict[str, Window]) -> None:
    """Thresholding."""
    kind, base = node.integer_type("outputDataType"), node.integer("ActVal", 0)
    first = writer.is_first(node.inputs[0])
    x = writer.first(node.inputs[0]) if first else writer.value(node.inputs[0])
    give_codes(writer, node, x, writer.array(node, 1), kind, base, first)


READERS: Mapping[str, Reader] = {"Thresholding": read}
