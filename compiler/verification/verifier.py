# SPDX-License-Identifier: Apache-2.0
"""Checking a model, at any stage, against the golden graph on fixed samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from qnnc.compiler.dataflow import Role, role_of
from qnnc.compiler.ir.edit import attribute, constant, shape_of
from qnnc.compiler.ir.facts import Integer, integer
from qnnc.compiler.reference import BatchRunner, Tensors
from qnnc.compiler.verification.compare import (
    FLOAT32_EPSILON,
    Outcome,
    compare_codes,
    compare_labels,
    compare_sums,
    compare_values,
)
from qnnc.compiler.verification.golden import Golden
from qnnc.compiler.verification.rearranged import compare_rearranged, floating_layers

Inputs = Mapping[str, NDArray[np.float32]]
PRODUCTS = frozenset({"MatMul", "XnorPopcountMatMul", "IntegerConv"})
"""Integer operators that are products with weights."""
SUMS = frozenset({"Add", "Reshape"})
"""Operators whose results are made of sums."""
PORTION = 1 << 25
"""Elements of all tensors together that are compared at once."""


class Verifier:
    """Compares every integer tensor that stands for a golden one, and the outputs."""

    def __init__(self, golden: Golden, inputs: Inputs) -> None:
        self.golden = golden
        self.inputs = inputs
        self.samples = next(iter(inputs.values())).shape[0]
        self._expected: dict[int, Tensors] = {}

    def check(self, model: ir.Model) -> Outcome:
        """Run a model of any stage and compare it."""
        outcome, _ = self.check_and_keep(model, (), 0)
        return outcome

    def check_and_keep(
        self, model: ir.Model, also: Sequence[ir.Value], keep: int
    ) -> tuple[Outcome, Tensors]:
        """Run a model of any stage, compare it, and keep some of its tensors.

        Samples go through in portions, so that large tensors of many samples need not be in
        memory at once.

        Args:
            also: tensors to keep besides those that are compared.
            keep: samples whose tensors are kept.

        Returns:
            The outcome for all samples, and tensors by name for the first `keep`.
        """
        values = watched(model, self.golden)
        values = _in_order(model, [*values, *floating_layers(model, self.golden)])
        wanted = [*values, *also, *model.graph.outputs]
        computed = [v for v in dict.fromkeys(wanted) if not v.is_graph_input()]
        runner = BatchRunner(model, computed)
        size = self._portion(computed)
        total, kept = Outcome(0), []
        for start in range(0, self.samples, size):
            inputs = {name: array[start : start + size] for name, array in self.inputs.items()}
            found = {**runner.run(inputs), **inputs}
            expected = self._golden(start, inputs)
            total = total.followed_by(self._compare(model, values, found, expected))
            if start < keep:
                kept.append({name: array[: keep - start] for name, array in found.items()})
        together = {n: np.concatenate([part[n] for part in kept]) for n in kept[0]} if kept else {}
        return total, together

    def _portion(self, values: Sequence[ir.Value]) -> int:
        """Samples to run at once."""
        elements = sum(int(np.prod(shape_of(v))) for v in values if v.shape is not None)
        return int(np.clip(PORTION // max(1, elements), 1, max(1, self.samples)))

    def _golden(self, start: int, inputs: Inputs) -> Tensors:
        """Golden tensors of a portion; those of the only portion are kept for the next check."""
        count = next(iter(inputs.values())).shape[0]
        if count < self.samples:
            return self.golden.run(inputs)
        if start not in self._expected:
            self._expected[start] = self.golden.run(inputs)
        return self._expected[start]

    def _compare(
        self,
        model: ir.Model,
        values: Sequence[ir.Value],
        found: Mapping[str, NDArray[Any]],
        expected: Tensors,
    ) -> Outcome:
        """Compare tensors of the compiled graph, by name, in the graph's order."""
        outcome = Outcome(next(iter(found.values())).shape[0])
        exact: Tensors = {}  # golden sums as exact arithmetic gives them
        for value in values:
            name, fact = str(value.name), integer(value)
            if name not in found:
                continue
            if fact is None:
                compare_rearranged(outcome, name, found[name], expected[name])
                exact[name] = found[name]
                continue
            target = str(fact.golden)
            golden, mine = expected[target], found[name]
            arranged = fact.arranged(golden, mine.shape)
            if fact.quantized:
                replay = partial(self._replayed, dict(exact), fact, mine.shape)
                compare_codes(outcome, name, fact, mine, arranged, replay)
            else:
                compare_sums(outcome, name, fact, mine, arranged, rounding_bound(value, fact))
                exact[target] = fact.restored(exact_values(mine, fact), golden.shape)
        for value, name in zip(model.graph.outputs, self.golden.outputs, strict=True):
            output = found.get(str(value.name))
            if output is None:
                continue
            replayed, golden = partial(self.golden.replay, exact, name), expected[name]
            if is_label(value) and self.golden.scores:
                scores = partial(self.golden.replay, exact, self.golden.scores[0])
                compare_labels(outcome, name, output, golden, replayed, scores)
            else:
                compare_values(outcome, name, output, golden, replayed)
        return outcome

    def _replayed(
        self, starts: Tensors, fact: Integer, shape: tuple[int, ...]
    ) -> NDArray[Any] | None:
        again = self.golden.replay(starts, str(fact.golden))
        return None if again is None else fact.arranged(again, shape)


def watched(model: ir.Model, golden: Golden) -> list[ir.Value]:
    """Integer tensors of a model that stand for a golden tensor, in order."""
    values = [*model.graph.inputs, *(v for node in model.graph for v in node.outputs)]
    result = []
    for value in values:
        fact = integer(value)
        if fact is not None and fact.golden in golden.tensors:
            result.append(value)
    return result


def _in_order(model: ir.Model, values: Sequence[ir.Value]) -> list[ir.Value]:
    """Values in the graph's order, so that what follows from a near-tie comes behind it."""
    wanted = set(values)
    everything = [*model.graph.inputs, *(v for node in model.graph for v in node.outputs)]
    return [value for value in everything if value in wanted]


def is_label(value: ir.Value) -> bool:
    """The value is an index, possibly cast."""
    node = value.producer()
    while node is not None and node.op_type in ("Cast", "Identity", "Reshape"):
        source = node.inputs[0]
        node = source.producer() if source is not None else None
    return node is not None and (node.op_type in ("TopK", "ArgMax") or role_of(node) is Role.LABELS)


def exact_values(found: NDArray[Any], fact: Integer) -> NDArray[np.float32]:
    """The golden tensor that integers stand for, rounded once."""
    values = np.asarray(found, np.float64) * fact.scale + fact.offset
    return values.astype(np.float32)


def rounding_bound(value: ir.Value, fact: Integer) -> NDArray[np.float64]:
    """Largest error of summing K terms in float32, in any order: (K + 2) u sum|x w|, with u half
    of float32's epsilon; the offset of x and the rounding of scales are counted in.

    Returns:
        An array that broadcasts against the tensor.
    """
    terms, magnitude = _summed(value, fact)
    if np.any(fact.offset):
        magnitude = magnitude + terms  # codes that stand for values around zero
    bound: NDArray[np.float64] = magnitude * np.abs(fact.scale) * (terms + 8) * FLOAT32_EPSILON
    return bound


def _summed(value: ir.Value, fact: Integer) -> tuple[int, NDArray[np.float64]]:
    """How many terms a sum has, and the sum of their largest magnitudes."""
    node = value.producer()
    reach = np.maximum(np.abs(fact.low), np.abs(fact.high)) + (fact.high - fact.low)
    if node is None:
        return 1, reach.astype(np.float64)
    x = node.inputs[0] if node.inputs else None
    operand = integer(x) if x is not None else None
    weights = constant(node.inputs[1]) if len(node.inputs) > 1 else None
    role = role_of(node)
    if node.op_type in SUMS or role is Role.SUM:
        return _added(node, reach.astype(np.float64))
    first = node.op_type == "IntegerConv" or role is Role.CHANNEL_PRODUCT  # outputs, then inputs
    is_product = first or node.op_type in PRODUCTS or role is Role.PRODUCT
    if not is_product or operand is None or weights is None:
        return _terms(node), reach.astype(np.float64)
    largest = float(max(abs(int(operand.low.min())), abs(int(operand.high.max()))))
    # the golden graph sums values with their offset, even where the offsets cancel out
    scale = np.where(operand.scale == 0, 1, operand.scale)
    largest += float(np.abs(operand.offset / scale).max())
    per_output = (
        np.abs(weights).reshape(len(weights), -1).sum(axis=1)
        if first
        else (np.abs(weights).sum(axis=0))
    )
    per_output = per_output.astype(np.float64) * largest
    if node.op_type == "IntegerConv":
        per_output = per_output.reshape(-1, *(1,) * (len(shape_of(value)) - 2))
    return weights.size // (len(weights) if first else weights.shape[-1]), per_output


def _added(node: ir.Node, reach: NDArray[np.float64]) -> tuple[int, NDArray[np.float64]]:
    """Terms and magnitudes of what is made of sums, which may cancel each other out."""
    terms, magnitude = 1, reach
    for value in node.inputs:
        fact = integer(value) if value is not None else None
        if value is not None and fact is not None and constant(value) is None:
            count, inner = _summed(value, fact)
            terms, magnitude = terms + count, magnitude + np.broadcast_to(inner.max(), ())
    return terms, magnitude


def _is_pool(node: ir.Node) -> bool:
    return role_of(node) is Role.POOL or "Pool" in node.op_type


def _terms(node: ir.Node) -> int:
    """Terms of a sum without weights: the window of a pool, or the two of an addition."""
    source = node.inputs[0]
    if source is None or not _is_pool(node):
        return 2
    kernel = attribute(node, "kernel_shape", attribute(node, "KernelSize"))
    if kernel is not None:
        return int(np.prod(kernel))
    return int(np.prod(shape_of(source)) // np.prod(shape_of(node.outputs[0])))
