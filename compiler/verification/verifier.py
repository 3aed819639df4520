# SPDX-License-Identifier: Apache-2.0
"""Checking a model, at any stage, against the golden graph on fixed samples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from qnnc.compiler.dataflow import Role, role_of
from qnnc.compiler.ir.edit import shape_of
from qnnc.compiler.ir.facts import IntArray, Integer, integer
from qnnc.compiler.ir.operators import integer_softmax
from qnnc.compiler.ir.operators.integer_softmax import Exponents
from qnnc.compiler.ir.operators.states import is_read
from qnnc.compiler.reference import BatchRunner, Tensors
from qnnc.compiler.verification.bounds import rounding_bound
from qnnc.compiler.verification.compare import (
    Outcome,
    check_range,
    compare_between,
    compare_codes,
    compare_labels,
    compare_sums,
    compare_values,
)
from qnnc.compiler.verification.golden import Golden
from qnnc.compiler.verification.rearranged import compare_rearranged, floating_layers

Inputs = Mapping[str, NDArray[np.float32]]
PORTION = 1 << 21
"""Elements of all tensors of the compiled graph together that are compared at once."""
KEPT = 2 * PORTION
"""Elements of all golden tensors and samples together up to which they are kept between checks."""


class Observer(Protocol):
    """Sees every integer tensor of the compiled graph, a portion of the samples at a time."""

    def see(self, value: ir.Value, low: NDArray[Any], high: NDArray[Any]) -> None:
        """The least and the greatest integers of a portion, in the tensor's shape for one sample
        ([1, ...])."""
        ...


class Verifier:
    """Compares every integer tensor that stands for a golden one, and the outputs, and holds every
    integer tensor against its range."""

    def __init__(self, golden: Golden, inputs: Inputs) -> None:
        self.golden = golden
        self.inputs = inputs
        self.samples = next(iter(inputs.values())).shape[0]
        self._expected: Tensors = {}
        self._filled = 0

    def check(self, model: ir.Model, observer: Observer | None = None) -> Outcome:
        """Run a model of any stage and compare it."""
        outcome, _ = self.check_and_keep(model, (), 0, observer)
        return outcome

    def check_and_keep(
        self,
        model: ir.Model,
        also: Sequence[ir.Value],
        keep: int,
        observer: Observer | None = None,
    ) -> tuple[Outcome, Tensors]:
        """Run a model of any stage, compare it, and keep some of its integer tensors.

        Samples go through in portions, so that large tensors of many samples need not be in
        memory at once.

        Args:
            also: tensors to keep.
            keep: samples whose tensors are kept.
            observer: sees the extremes of every integer tensor.

        Returns:
            The outcome for all samples, and the tensors by name for the first `keep`, in the
            narrow integers that their types fit in.
        """
        values = [*integers(model), *floating_layers(model, self.golden)]
        values = _in_order(model, values)
        wanted = [*values, *also, *model.graph.outputs]
        computed = [v for v in dict.fromkeys(wanted) if not v.is_graph_input()]
        size = self._portion(computed)
        runner = BatchRunner(model, computed, size)
        bounds = self._bounds(values)
        total, kept = Outcome(0), _Kept(also, min(keep, self.samples))
        for start in range(0, self.samples, size):
            inputs = {name: array[start : start + size] for name, array in self.inputs.items()}
            found = {**runner.run(inputs), **inputs}
            expected = self._golden(inputs, start)
            outcome = self._compare(model, values, bounds, found, expected, observer)
            total = total.followed_by(outcome)
            kept.take(found, start)
        return total, kept.tensors

    def _portion(self, values: Sequence[ir.Value]) -> int:
        """Samples to run at once."""
        return int(np.clip(PORTION // max(1, elements(values)), 1, max(1, self.samples)))

    def _golden(self, inputs: Inputs, start: int) -> Tensors:
        """Golden tensors of the portion that begins with sample `start`. Those of all samples are
        kept for the next check if they are not too many."""
        size = next(iter(inputs.values())).shape[0]
        if start + size <= self._filled:
            return {name: array[start : start + size] for name, array in self._expected.items()}
        found = self.golden.run(inputs)
        if size == self.samples:
            self._expected, self._filled = found, size
        elif start == self._filled and elements_of(found) * self.samples <= KEPT * size:
            for name, array in found.items():
                if start == 0:
                    self._expected[name] = np.empty((self.samples, *array.shape[1:]), array.dtype)
                self._expected[name][start : start + size] = array
            self._filled = start + size
        return found

    def _bounds(self, values: Sequence[ir.Value]) -> dict[str, NDArray[np.float64]]:
        """How far the golden graph may have rounded each sum that is compared with it."""
        found = {}
        for value in values:
            fact = integer(value)
            if fact is not None and not fact.quantized and str(fact.golden) in self.golden.tensors:
                found[str(value.name)] = rounding_bound(value, fact)
        return found

    def _compare(
        self,
        model: ir.Model,
        values: Sequence[ir.Value],
        bounds: Mapping[str, NDArray[np.float64]],
        found: Tensors,
        expected: Tensors,
        observer: Observer | None,
    ) -> Outcome:
        """Compare tensors of the compiled graph, by name, in the graph's order."""
        outcome = Outcome(found[self.golden.inputs[0]].shape[0])
        exact = ExactSums(found)
        for value in values:
            name, fact = str(value.name), integer(value)
            if name not in found:
                continue
            mine = found[name]
            if fact is None:
                compare_rearranged(outcome, name, mine, expected[name])
                exact.add(name, name, None, expected[name])
                continue
            low, high = check_range(outcome, value, fact, mine)
            if observer is not None:
                observer.see(value, low, high)
            target = str(fact.golden)
            if target not in self.golden.tensors:
                continue
            golden = expected[target]
            arranged = fact.arranged(golden, mine.shape)
            if fact.quantized and _is_softmax(value):
                least, greatest = _float_codes(value, found)
                compare_between(outcome, name, fact, mine, arranged, least, greatest)
                exact.add(target, name, fact, golden)
            elif fact.quantized:
                replay = partial(self._replayed, exact.so_far(), fact, mine.shape)
                compare_codes(outcome, name, fact, mine, arranged, replay)
            else:
                compare_sums(outcome, name, fact, mine, arranged, bounds[name])
                exact.add(target, name, fact, golden)
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
        self, starts: Mapping[str, NDArray[Any]], fact: Integer, shape: tuple[int, ...]
    ) -> NDArray[Any] | None:
        again = self.golden.replay(starts, str(fact.golden))
        return None if again is None else fact.arranged(again, shape)


class ExactSums(Mapping[str, NDArray[Any]]):
    """Golden sums as exact arithmetic gives them, by golden name; made when they are asked for,
    which is seldom."""

    def __init__(
        self,
        found: Tensors,
        known: Mapping[str, tuple[str, Integer | None, NDArray[Any]]] | None = None,
    ) -> None:
        self._found = found
        self._known = dict(known or {})

    def add(self, target: str, name: str, fact: Integer | None, golden: NDArray[Any]) -> None:
        """State that the golden tensor `target` follows from the tensor `name` of the compiled
        graph, or is that tensor where there is no fact; elements that this lacks are golden's."""
        self._known[target] = (name, fact, golden)

    def so_far(self) -> ExactSums:
        """What is known now, whatever is added later."""
        return ExactSums(self._found, self._known)

    def __getitem__(self, target: str) -> NDArray[Any]:
        name, fact, golden = self._known[target]
        array = self._found[name]
        if fact is None:
            return array
        return fact.restored(exact_values(array, fact), golden)

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)


class _Kept:
    """Tensors of the first samples, put together as portions come in."""

    def __init__(self, values: Sequence[ir.Value], samples: int) -> None:
        self.tensors: Tensors = {}
        self._values = values
        self._samples = samples

    def take(self, found: Tensors, start: int) -> None:
        for value in self._values if start < max(1, self._samples) else ():
            name = str(value.name)
            array = found[name]
            if name not in self.tensors:
                shape = (self._samples, *array.shape[1:])
                self.tensors[name] = np.empty(shape, _narrow_dtype(value))
            part = array[: self._samples - start]
            self.tensors[name][start : start + len(part)] = part


def _narrow_dtype(value: ir.Value) -> np.dtype[Any]:
    """One for a tensor's range, with room to subtract its low end from a signed value; a value
    outside of the range has been found before."""
    fact = integer(value)
    if fact is None:
        return np.dtype(np.float32)
    ends = int(fact.low.min()), int(fact.high.max())
    return np.result_type(*(np.min_scalar_type(end) for end in ends))


def elements(values: Sequence[ir.Value]) -> int:
    """Elements of these tensors together, for one sample."""
    return sum(int(np.prod(shape_of(v))) for v in values if v.shape is not None)


def elements_of(tensors: Tensors) -> int:
    """Elements of these tensors together."""
    return sum(array.size for array in tensors.values())


def integers(model: ir.Model) -> list[ir.Value]:
    """Integer tensors of a model that depend on its inputs, and integer inputs, in order."""
    known = dict.fromkeys(model.graph.inputs)
    for node in model.graph:
        if any(value in known for value in node.inputs) or is_read(node):
            known.update(dict.fromkeys(node.outputs))
    return [value for value in known if integer(value) is not None]


def watched(model: ir.Model, golden: Golden) -> list[ir.Value]:
    """Integer tensors of a model that stand for a golden tensor, in order."""
    found = []
    for value in integers(model):
        fact = integer(value)
        if fact is not None and fact.golden in golden.tensors:
            found.append(value)
    return found


def _in_order(model: ir.Model, values: Sequence[ir.Value]) -> list[ir.Value]:
    """Values in the graph's order, so that what follows from a near-tie comes after it."""
    wanted = set(values)
    everything = [*model.graph.inputs, *(v for node in model.graph for v in node.outputs)]
    return [value for value in everything if value in wanted]


def _is_softmax(value: ir.Value) -> bool:
    node = value.producer()
    return node is not None and (
        node.op_type == integer_softmax.NAME or role_of(node) is Role.SOFTMAX
    )


def _float_codes(value: ir.Value, found: Tensors) -> tuple[IntArray, IntArray]:
    """Least and greatest codes after a softmax that float32 may give for the codes before it."""
    node = value.producer()
    assert node is not None and node.inputs[0] is not None
    return Exponents.of(node).between(found[str(node.inputs[0].name)])


def is_label(value: ir.Value) -> bool:
    """The value is an index, possibly cast."""
    node = value.producer()
    while node is not None and node.op_type in ("Cast", "Identity", "Reshape"):
        source = node.inputs[0]
        node = source.producer() if source is not None else None
    return node is not None and (node.op_type in ("TopK", "ArgMax") or role_of(node) is Role.LABELS)


def exact_values(found: NDArray[Any], fact: Integer) -> NDArray[np.float32]:
    """The golden tensor [samples, ...] that integers of that shape stand for, rounded once."""
    values = np.asarray(found, np.float64) * fact.scale + fact.offset
    return values.astype(np.float32)
