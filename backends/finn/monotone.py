# SPDX-License-Identifier: Apache-2.0
"""Threshold tables with values as FINN has them: counts of thresholds that only rise.

Where a channel's codes fall (a negative scale before its activation), FINN turns the signs of the
weights that the channel comes from: with x' = -x, or the number of unequal pairs for that of the
equal ones, the codes rise.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from qnnc.backends.finn.attributes import INSERTED
from qnnc.compiler.dataflow import DataflowNode
from qnnc.compiler.dataflow.stream_graph import StreamGraph, stream_graph
from qnnc.compiler.datatypes import BIPOLAR, smallest_type, type_of_values
from qnnc.compiler.errors import ModelError, quote
from qnnc.compiler.ir.facts import IntArray
from qnnc.nodes.mvau.node import MVAU
from qnnc.nodes.thresholding.node import Thresholding
from qnnc.nodes.vvau.node import VVAU


def make_monotone(model: ir.Model) -> None:
    """Rewrite every Thresholding that looks values up, and the weights before it, in place.

    Raises:
        ModelError: a channel's codes neither rise nor fall throughout, or they fall and no product
            of its own stands before them.
    """
    graph = stream_graph(model)
    for index, node in enumerate(graph.nodes):
        if isinstance(node, Thresholding) and node.values() is not None:
            _rewrite(graph, index, node)


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
        raise ModelError(
            f"node {quote(node.name)}: FINN's Thresholding counts thresholds; it cannot look up "
            "values of a function that is not monotone"
        )
    low, high = int(values.min()), int(values.max())
    found, top = thresholds, 0
    kind = node.x_type
    if falling.any():
        if rows == 1:
            falling = np.repeat(falling, node.channels)
            thresholds, values = (np.repeat(a, node.channels, axis=0) for a in (thresholds, values))
        source = _source(graph, index)
        top = _negate(source, falling, node)
        kind = source.type_attr("outputDataType")
    ends = (int(kind.min()), int(kind.max()) + 1)
    found = _counts(thresholds, values, falling, top, (low, high), ends)
    _replace(node.node, 1, found)
    node.node.resize_inputs(2)
    for name in ("impl_style", "resType"):
        node.node.attributes.pop(name, None)
    node.set_attrs(
        numSteps=found.shape[1],
        ActVal=low,
        inputDataType=kind.name,
        weightDataType=smallest_type(int(found.min()), int(found.max())).name,
    )


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
            elif falls:  # up to just below the step behind the last such value
                last = int(at_least[-1])
                found[row, column] = ends[0] if last == len(steps) else top - steps[last] + 1
            else:
                first = int(at_least[0])
                found[row, column] = ends[0] if first == 0 else steps[first - 1]
    return np.clip(found, *ends)


def _source(graph: StreamGraph, index: int) -> MVAU | VVAU:
    """The product right before a node."""
    at = index
    while True:
        edges = [e for e in graph.edges if e.target is not None and e.target.node == at]
        if len(edges) != 1 or edges[0].source is None:
            break
        at = edges[0].source.node
        if sum(e.source is not None and e.source.node == at for e in graph.edges) > 1:
            break
        source: DataflowNode = graph.nodes[at]
        if isinstance(source, MVAU | VVAU):
            return source
        if source.op_type not in INSERTED:
            break
    raise ModelError(
        f"node {quote(graph.nodes[index].name)}: some of its channels fall; FINN's Thresholding "
        "cannot, and no layer with weights stands right before it to take the sign"
    )


def _negate(source: MVAU | VVAU, falling: NDArray[np.bool_], node: Thresholding) -> int:
    """Turn the signs of some channels' weights; returns what x' and x then add up to."""
    weights = source.constant_input(1)
    shape = (1, -1) if isinstance(source, MVAU) else (-1, 1, 1, 1)
    turned = falling.reshape(shape)
    if source.xnor:
        _replace(source.node, 1, np.where(turned, 1 - weights, weights))
        return source.MW if isinstance(source, MVAU) else source.window
    found = np.where(turned, -weights, weights)
    _replace(source.node, 1, found)
    low, high = int(node.x_type.min()), int(node.x_type.max())
    kind = smallest_type(min(low, -high), max(high, -low))
    if source.w_type != BIPOLAR:
        source.set_attrs(weightDataType=type_of_values(found.astype(np.int64)).name)
    source.set_attrs(outputDataType=kind.name, accDataType=kind.name)
    return 0


def _replace(node: ir.Node, index: int, array: NDArray[np.generic]) -> None:
    """Give a constant input other numbers. Its value may have other users: it is a new one."""
    old = node.inputs[index]
    assert old is not None and old.const_value is not None
    kept = array.astype(old.const_value.numpy().dtype)
    name = f"{old.name}_{node.name}"
    value = ir.Value(
        name=name,
        const_value=ir.tensor(kept, name=name),
        shape=ir.Shape(kept.shape),
        type=old.type,
    )
    graph = node.graph
    assert graph is not None
    graph.initializers[name] = value
    node.replace_input_with(index, value)
