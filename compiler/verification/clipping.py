# SPDX-License-Identifier: Apache-2.0
"""Which share of its values a quantizer clips: what lies beyond the least and greatest code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from qnnc.compiler.ir.edit import constant
from qnnc.compiler.reference import BatchRunner, expand
from qnnc.compiler.verification.golden import Golden

AFTER = frozenset({"Mul", "Add", "Sub", "Round", "Floor", "Ceil", "Cast", "DequantizeLinear"})
"""Operators between the clipping in a quantizer and its output."""
STEPS = 8
HALF = 0.5
"""A value up to so far beyond a code is still rounded to it."""


@dataclass(frozen=True)
class _Limit:
    """A quantizer's own scale: the tensor, and what it is divided by and shifted by to be codes
    from `low` to `high`."""

    value: ir.Value
    low: NDArray[Any]
    high: NDArray[Any]
    scale: NDArray[Any]
    shift: NDArray[Any]


def clipped_shares(
    golden: Golden, inputs: Mapping[str, NDArray[Any]], names: set[str]
) -> dict[str, float]:
    """Of each of these golden tensors, which share of its values was clipped.

    Args:
        inputs: of the network, [samples, …] by name.
        names: tensors that quantizers give; those in which the clipping is not found are left out,
            and all of them in networks with recurrences.
    """
    plain = golden.plain
    if plain is None or not names:
        return {}
    limits = {}
    for node in plain.graph:
        for value in node.outputs:
            if str(value.name) in names and (found := _limit(value)) is not None:
                limits[str(value.name)] = found
    if not limits:
        return {}
    watched = list(dict.fromkeys(limit.value for limit in limits.values()))
    own = [value for value in watched if not value.is_graph_input()]
    results: dict[str, NDArray[Any]] = dict(inputs)
    if own:
        nodes = list(plain.graph)
        ends = {value.producer() for value in own}
        last = max(place for place, node in enumerate(nodes) if node in ends)
        part = expand(plain, outputs=own, nodes=nodes[: last + 1])
        results |= BatchRunner(part).run(inputs)
    return {
        name: _share(np.asarray(results[str(limit.value.name)], np.float64), limit)
        for name, limit in limits.items()
    }


def _share(values: NDArray[Any], limit: _Limit) -> float:
    codes = values / limit.scale + limit.shift
    outside = (codes < limit.low - HALF) | (codes > limit.high + HALF)
    return float(outside.mean()) if outside.size else 0.0


def _limit(value: ir.Value) -> _Limit | None:
    """Where the quantizer that gives a tensor clips; None if it is of another kind."""
    for _ in range(STEPS):
        node = value.producer()
        if node is None:
            return None
        if node.op_type in ("Clip", "QuantizeLinear"):
            data = node.inputs[0]
            given = [constant(v) if v is not None else None for v in node.inputs[1:3]]
            if data is None or len(given) != 2 or given[0] is None or given[1] is None:
                return None
            first, second = (np.asarray(array) for array in given)
            if node.op_type == "Clip":
                one, none = np.ones(()), np.zeros(())
                return _Limit(data, first.astype(np.float64), second.astype(np.float64), one, none)
            if first.size != 1 or not np.issubdtype(second.dtype, np.integer):
                return None
            kind = np.iinfo(second.dtype)
            ends = (np.asarray(float(kind.min)), np.asarray(float(kind.max)))
            return _Limit(data, *ends, first.astype(np.float64), second.astype(np.float64))
        if node.op_type not in AFTER or node.inputs[0] is None:
            return None
        value = node.inputs[0]
    return None
