# SPDX-License-Identifier: Apache-2.0
"""The golden graph: the quantized network as imported, run in ONNX Runtime."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from qnnc.compiler.errors import ModelError
from qnnc.compiler.ir.edit import constant
from qnnc.compiler.ir.operators.states import is_read
from qnnc.compiler.ir.quantizers import QUANTIZERS
from qnnc.compiler.reference import BatchRunner, Session, Tensors, expand
from qnnc.compiler.reference.batches import stacked

_LINEAR = frozenset(
    {
        "MatMul",
        "Gemm",
        "Conv",
        "ConvTranspose",
        "Add",
        "Sub",
        "Mul",
        "AveragePool",
        "GlobalAveragePool",
        "ReduceMean",
        "ReduceSum",
        "Resize",
        "Upsample",
        "TopK",
        "ArgMax",
    }
)


class Golden:
    """A snapshot of the imported model with the tensors that the compiled one is compared in:
    what quantizers and linear operators give, what labels are chosen from, and the outputs.

    Args:
        also: names of further tensors.

    Attributes:
        inputs: names of the model's inputs.
        outputs: names of its outputs.
        scores: names of the tensors that labels are chosen from.
        tensors: names of all tensors that can be asked for.
    """

    def __init__(self, model: ir.Model, also: Collection[str | None] = ()) -> None:
        graph = model.graph
        self.inputs = [str(value.name) for value in graph.inputs]
        self.outputs = [str(value.name) for value in graph.outputs]
        watched = list(graph.outputs)
        scores: list[str] = []
        for node in graph:
            data = node.inputs[0] if node.inputs else None
            if constant(data) is not None:
                continue
            if node.op_type in QUANTIZERS or node.op_type in _LINEAR:
                watched.append(node.outputs[0])
            if node.op_type in ("TopK", "ArgMax") and data is not None:
                watched.append(data)
                scores.append(str(data.name))
            watched += [value for value in node.outputs if value.name in also]
        self.scores = scores
        watched = [v for v in dict.fromkeys(watched) if not v.is_graph_input()]
        self.tensors = frozenset(str(v.name) for v in watched) | frozenset(self.inputs)
        self._watched = _in_order(graph, watched)
        self._shapes = {
            str(v.name): tuple(int(d) for d in v.shape if isinstance(d, int))
            for v in (*graph.inputs, *(v for node in graph for v in node.outputs))
            if v.shape is not None and v.shape.is_static()
        }
        self._free = expand(model, outputs=watched, any_batch=True)
        self._fixed = expand(model, outputs=watched)
        self._runner = BatchRunner(model, watched, plain=(self._free, self._fixed))
        if any(is_read(node) for node in graph):  # a replay starts from sums inside recurrences
            self._free = expand(model, outputs=watched, any_batch=True, cut=True)
            self._fixed = expand(model, outputs=watched, cut=True)

    @property
    def elements(self) -> int:
        """Elements of all tensors that are compared, for one sample."""
        return sum(math.prod(self._shapes.get(name, ())) for name in self._watched)

    @property
    def plain(self) -> ir.Model | None:
        """The graph in standard operators, for a batch of one; None with recurrences, which are
        cut open for replays."""
        whole = len(self._fixed.graph.inputs) == len(self.inputs)
        return self._fixed if whole else None

    def first(self, elements: int) -> BatchRunner | None:
        """What computes the first of the watched tensors, at least one and no more than have so
        many elements for one sample; None if all of them have no more."""
        sizes = [math.prod(self._shapes.get(name, ())) for name in self._watched]
        if sum(sizes) <= elements:
            return None
        count = max(1, int(np.searchsorted(np.cumsum(sizes), elements, side="right")))
        wanted, nodes = set(self._watched[:count]), list(self._fixed.graph)
        last, ends = 0, list[ir.Value]()
        for place, node in enumerate(nodes):
            found = [value for value in node.outputs if value.name in wanted]
            last, ends = place if found else last, [*ends, *found]
        return BatchRunner(expand(self._fixed, outputs=ends, nodes=nodes[: last + 1]))

    def run(self, inputs: Mapping[str, NDArray[Any]], names: list[str] | None = None) -> Tensors:
        """Tensors [samples, ...] by name (all watched ones by default) for a batch of samples."""
        wanted = [n for n in names or sorted(self.tensors) if n not in inputs]
        found = self._runner.run(inputs, wanted) if wanted else {}
        return {**found, **{name: np.asarray(array) for name, array in inputs.items()}}

    def replay(self, starts: Mapping[str, NDArray[Any]], target: str) -> NDArray[Any] | None:
        """The golden operators from given tensors to `target`, on other values.

        Args:
            starts: tensors [samples, ...] to start from; those are used that lie
                nearest before the target.

        Returns:
            The target for all samples, or None if it does not follow from the starts alone.
        """
        if target in starts:
            return starts[target]
        try:
            return self._run_between(self._free, starts, target, whole=True)
        except ModelError:  # a reshape to fixed sizes forbids a batch, or it is not in front
            return self._run_between(self._fixed, starts, target, whole=False)

    def _run_between(
        self, plain: ir.Model, starts: Mapping[str, NDArray[Any]], target: str, *, whole: bool
    ) -> NDArray[Any] | None:
        nodes, used = _between(plain, starts, target)
        if nodes is None or not used:
            return None
        ends = [v for node in nodes for v in node.outputs if v.name == target]
        session = Session(expand(plain, inputs=used, outputs=ends, nodes=nodes, any_batch=True))
        feeds = {str(v.name): np.asarray(starts[str(v.name)], np.float32) for v in used}
        count = len(next(iter(feeds.values())))
        if whole:
            if any(len(self._shapes.get(n, a.shape)) != a.ndim for n, a in feeds.items()):
                raise ModelError("tensors whose first dimension is not the batch")
            found = session.run(feeds, [target])[target]
            one = self._shapes.get(target, (1, *found.shape[1:]))
            if found.ndim == 0 or len(found) != count or one != (1, *found.shape[1:]):
                raise ModelError("a result whose first dimension is not the batch")
            return found
        parts = [
            stacked(
                session.run({n: self._frame(n, a[i]) for n, a in feeds.items()}, [target])[target]
            )
            for i in range(count)
        ]
        return np.concatenate(parts)

    def _frame(self, name: str, values: NDArray[Any]) -> NDArray[Any]:
        """One sample of a tensor in the shape that the graph gives it."""
        shape = self._shapes.get(name)
        return values[None] if shape is None else values.reshape(shape)


def _in_order(graph: ir.Graph, watched: Collection[ir.Value]) -> list[str]:
    """Names of tensors in the order in which they are computed."""
    wanted = set(watched)
    values = (value for node in graph for value in node.outputs)
    return [str(value.name) for value in values if value in wanted]


def _between(
    plain: ir.Model, starts: Mapping[str, NDArray[Any]], target: str
) -> tuple[list[ir.Node] | None, list[ir.Value]]:
    """Nodes from the nearest starts to the target, in order, and those starts."""
    producers = {v.name: node for node in plain.graph for v in node.outputs}
    needed: set[ir.Node] = set()
    used: dict[ir.Value, None] = {}
    stack = [producers[target]] if target in producers else []
    while stack:
        node = stack.pop()
        if node in needed:
            continue
        needed.add(node)
        for value in node.inputs:
            if value is None or value.const_value is not None:
                continue
            producer = value.producer()
            if value.name in starts:
                used[value] = None
            elif producer is None:
                return None, []
            else:
                stack.append(producer)
    return [node for node in plain.graph if node in needed], list(used)
