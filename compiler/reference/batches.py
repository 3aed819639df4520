# SPDX-License-Identifier: Apache-2.0
"""Running many samples: in batches where the model allows it, one by one where it does not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from qnnc.compiler.errors import ModelError
from qnnc.compiler.reference.execution import Session, Tensors
from qnnc.compiler.reference.expansion import expand

Feeds = Mapping[str, NDArray[Any]]


class BatchRunner:
    """Runs a model, given with a batch of one, on any number of samples.

    Whether the graph can take a larger batch is tried with two copies of the first sample; a
    reshape to fixed sizes may forbid it, or a tensor whose first dimension is not the batch.
    Tensors come out as [samples, ...]: those that have no batch of one in front are stacked, and
    those that do not depend on the inputs are repeated.

    Args:
        plain: the model in standard operators with any batch, and with a batch of one, where they
            are at hand; else the model must stay as it is until the first run.
    """

    def __init__(
        self,
        model: ir.Model,
        outputs: Sequence[ir.Value] | None = None,
        chunk: int = 64,
        *,
        plain: tuple[ir.Model, ir.Model] | None = None,
    ) -> None:
        self._free = plain[0] if plain else expand(model, outputs=outputs, any_batch=True)
        # written only if it is needed, which is seldom
        self._fixed: Callable[[], ir.Model] = partial(expand, model, outputs=outputs)
        if plain:
            self._fixed = lambda: plain[1]
        self._constants = _independent(self._free)
        self._chunk = chunk
        self._batched: Session | None = None
        self._single: Session | None = None
        self._tried = False

    def run(self, feeds: Feeds, outputs: Sequence[str] | None = None) -> Tensors:
        """Outputs for all samples, first dimension the samples'."""
        count = next(iter(feeds.values())).shape[0]
        batched = min(count, self._chunk) > 1 and self._takes_batches(feeds)
        if not batched and self._single is None:
            self._single = Session(self._fixed())
        session, size = (self._batched, self._chunk) if batched else (self._single, 1)
        assert session is not None
        results: Tensors = {}
        for start in range(0, count, size):
            part = session.run({n: a[start : start + size] for n, a in feeds.items()}, outputs)
            for name, array in part.items():
                if not batched or name in self._constants:
                    array = stacked(array)
                if count <= size and len(array) == count:
                    results[name] = array
                    continue
                if name not in results:
                    results[name] = np.empty((count, *array.shape[1:]), array.dtype)
                results[name][start : start + size] = array
        return results

    def _takes_batches(self, feeds: Feeds) -> bool:
        """Whether two samples that are the same come out as one sample does, twice."""
        if self._tried:
            return self._batched is not None
        self._tried = True
        one = {name: array[:1] for name, array in feeds.items()}
        two = {name: np.concatenate([array, array]) for name, array in one.items()}
        try:
            session = Session(self._free)
            single, double = session.run(one), session.run(two)
        except ModelError:
            return False
        if all(
            single[n].ndim > 0
            and double[n].shape == (2, *single[n].shape[1:])
            and np.array_equal(double[n][:1], double[n][1:])
            for n in single
            if n not in self._constants
        ):
            self._batched = session
        return self._batched is not None


def stacked(tensor: NDArray[Any]) -> NDArray[Any]:
    """One sample's tensor as [1, ...]: a batch of one that it has already is that dimension."""
    return tensor if tensor.ndim and tensor.shape[0] == 1 else tensor[None]


def _independent(model: ir.Model) -> frozenset[str]:
    """Names of outputs that do not depend on the inputs."""
    computed = set(model.graph.inputs)
    for node in model.graph:
        if any(v in computed for v in node.inputs if v is not None):
            computed.update(node.outputs)
    return frozenset(str(v.name) for v in model.graph.outputs if v not in computed)
