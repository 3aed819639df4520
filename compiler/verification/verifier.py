# SPDX-License-Identifier: Apache-2.0
"""Checking a model, at any stage, against the golden graph on fixed samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from qnnc.compiler.ir.edit import constant
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
PRODUCTS = frozenset({"MatMul", "XnorPopcountMatMul", "MVAU"})


class Verifier:
    """Compares every integer tensor that stands for a golden one, and the outputs."""

    def __init__(self, golden: Golden, inputs: Inputs) -> None:
        self.golden = golden
        self.inputs = inputs
        self.samples = next(iter(inputs.values())).shape[0]

    @cached_property
    def expected(self) -> Tensors:
        """The golden tensors for the samples, computed once."""
        return self.golden.run(self.inputs)

    def check(self, model: ir.Model) -> Outcome:
        """Run a model of any stage and compare it."""
        return self.compare(model, self.execute(model))

    def execute(self, model: ir.Model, also: Sequence[ir.Value] = ()) -> Tensors:
        """Run a model of any stage; returns the tensors that are compared, and others wanted."""
        values = watched(model, self.golden)
        layers = floating_layers(model, self.golden)
        wanted = [*values, *_operands(values), *layers, *also, *model.graph.outputs]
        computed = [v for v in dict.fromkeys(wanted) if not v.is_graph_input()]
        return {**BatchRunner(model, computed).run(self.inputs), **self.inputs}

    def compare(self, model: ir.Model, found: Mapping[str, NDArray[Any]]) -> Outcome:
        """Compare tensors of the compiled graph, by name, in the graph's order."""
        outcome = Outcome(self.samples)
        exact: Tensors = {}  # golden sums as exact arithmetic gives them
        for value in floating_layers(model, self.golden):
            name = str(value.name)
            if name in found:
                compare_rearranged(outcome, name, found[name], self.expected[name])
                exact[name] = found[name]
        for value in watched(model, self.golden):
            name, fact = str(value.name), integer(value)
            if name not in found or fact is None:
                continue
            target = str(fact.golden)
            golden = self.expected[target]
            if fact.quantized:
                replay = partial(self.golden.replay, dict(exact), target)
                compare_codes(outcome, name, fact, found[name], golden, replay)
            else:
                bound = rounding_bound(value, fact, found)
                compare_sums(outcome, name, fact, found[name], golden, bound)
                exact[target] = exact_values(found[name], fact).reshape(golden.shape)
        for value, name in zip(model.graph.outputs, self.golden.outputs, strict=True):
            mine = found.get(str(value.name))
            if mine is None:
                continue
            replay, golden = partial(self.golden.replay, exact, name), self.expected[name]
            if is_label(value) and self.golden.scores:
                scores = partial(self.golden.replay, exact, self.golden.scores[0])
                compare_labels(outcome, name, mine, golden, replay, scores)
            else:
                compare_values(outcome, name, mine, golden, replay)
        return outcome


def watched(model: ir.Model, golden: Golden) -> list[ir.Value]:
    """Integer tensors of a model that stand for a golden tensor, in order."""
    values = [*model.graph.inputs, *(v for node in model.graph for v in node.outputs)]
    result = []
    for value in values:
        fact = integer(value)
        if fact is not None and fact.golden in golden.tensors:
            result.append(value)
    return result


def is_label(value: ir.Value) -> bool:
    """The value is an index, possibly cast."""
    node = value.producer()
    while node is not None and node.op_type in ("Cast", "Identity", "Reshape"):
        source = node.inputs[0]
        node = source.producer() if source is not None else None
    return node is not None and node.op_type in ("TopK", "ArgMax", "LabelSelect")


def exact_values(found: NDArray[Any], fact: Integer) -> NDArray[np.float32]:
    """The golden tensor that integers stand for, rounded once."""
    values = np.asarray(found, np.float64) * fact.scale + fact.offset
    return values.astype(np.float32)


def _operands(values: list[ir.Value]) -> list[ir.Value]:
    operands = []
    for value in values:
        node = value.producer()
        if node is not None and node.op_type in PRODUCTS and node.inputs[0] is not None:
            operands.append(node.inputs[0])
    return operands


def rounding_bound(
    value: ir.Value, fact: Integer, found: Mapping[str, NDArray[Any]]
) -> NDArray[np.float64]:
    """Largest error of summing K products in float32, in any order: (K + 2) u sum|x w|, with u
    half of float32's epsilon; the offset of x and the rounding of scales are counted in."""
    node = value.producer()
    shape = found[str(value.name)].shape
    if node is None or node.op_type not in PRODUCTS:
        return np.zeros((shape[0], 1))
    x, weights = node.inputs[0], constant(node.inputs[1])
    assert x is not None and weights is not None
    operand = found.get(str(x.name))
    k = weights.shape[0]
    if operand is None:
        return np.zeros((shape[0], 1))
    codes = operand.reshape(-1, k).astype(np.float64)
    given = integer(x)
    if given is not None and given.offset.size == given.scale.size == 1:
        codes = codes + given.offset / given.scale  # what is summed has the zero point taken off
    magnitude = np.abs(codes) @ np.abs(weights)
    if fact.offset.size > 1 or np.any(fact.offset):
        magnitude = magnitude + k  # codes that stand for values around zero
    bound: NDArray[np.float64] = (
        magnitude * np.abs(fact.scale).reshape(1, -1) * (k + 8) * FLOAT32_EPSILON
    )
    return bound.reshape(shape[0], -1)
