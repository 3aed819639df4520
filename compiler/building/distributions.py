# SPDX-License-Identifier: Apache-2.0
"""Which integers weights are and outputs were, against what their types can hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qnnc.compiler.building.build import Build
from qnnc.compiler.dataflow import DataflowNode, Role
from qnnc.compiler.dataflow.stream_graph import StreamGraph
from qnnc.compiler.datatypes import datatype
from qnnc.compiler.ir.edit import attribute
from qnnc.compiler.ir.facts import integer
from qnnc.compiler.report import Histogram
from qnnc.compiler.verification.clipping import clipped_shares

BINS = 32


SAMPLES = 16
"""Of the user's, in which is counted what quantizers clip."""


def clipped_of(build: Build, graph: StreamGraph) -> dict[str, float]:
    """Which share of its values each quantizer clips, by its golden tensor, over a few of the
    samples that were given (or drawn at random)."""
    facts = {integer(value) for node in graph.nodes for value in node.node.outputs}
    names = {fact.golden for fact in facts if fact is not None and fact.golden and fact.quantized}
    if build.golden is None or not names or not build.inputs:
        return {}
    own = ~build.corners if len(build.corners) else slice(None)
    inputs = {name: array[own][:SAMPLES] for name, array in build.inputs.items()}
    return clipped_shares(build.golden, inputs, names)


def output_histogram(
    node: DataflowNode,
    tensors: Mapping[str, NDArray[Any]],
    clipped: Mapping[str, float],
) -> Histogram | None:
    """The codes that a quantizer gave, over the whole range of its type; None for other nodes, and
    where no samples were kept. `tensors` holds values by name, [frames, ...] each, `clipped` shares
    by golden tensor."""
    if node.role is not Role.THRESHOLDS:
        return None
    value = node.node.outputs[0]
    values = tensors.get(str(value.name))
    kind = node.ports(node.folding()).outputs[0].datatype
    if values is None or not values.size:
        return None
    found = _histogram(np.asarray(values), int(kind.min()), int(kind.max()))
    fact = integer(value)
    share = clipped.get(fact.golden) if fact is not None and fact.golden else None
    return found.model_copy(update={"clipped": None if share is None else round(share, 6)})


def weight_histogram(node: DataflowNode) -> Histogram | None:
    """The weights of a product, over the whole range of their type; None for other nodes."""
    if node.role not in (Role.PRODUCT, Role.CHANNEL_PRODUCT):
        return None
    values = node.constant_input(1)
    if not values.size:
        return None
    kind = datatype(str(attribute(node.node, "weightDataType")))
    low, high = int(kind.min()), int(kind.max())
    return _histogram(values, min(low, int(values.min())), max(high, int(values.max())))


def _histogram(values: NDArray[Any], low: int, high: int) -> Histogram:
    """Bins of whole numbers, the same number each but the last, which may have fewer."""
    width = -(-(high - low + 1) // BINS)
    bins = -(-(high - low + 1) // width)
    places = np.clip((values.reshape(-1).astype(np.float64) - low) // width, 0, bins - 1)
    counts = np.bincount(places.astype(np.int64), minlength=bins)
    at_ends = int(((values == low) | (values == high)).sum())
    return Histogram(
        low=low,
        high=high,
        bin_width=width,
        counts=[int(n) for n in counts],
        at_ends=round(at_ends / values.size, 6),
        zeros=round(int((values == 0).sum()) / values.size, 6),
        clipped=None,
    )
