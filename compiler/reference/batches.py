# SPDX-License-Identifier: Apache-2.0
"""Running many samples: in batches where the model allows it, one by one where it does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    """

    def __init__(
        self, model: ir.Model, outputs: Sequence[ir.Value] | None = None, chunk: int = 64
    ) -> None:
        # both are written now: the model may change before the first run
        self._free = expand(model, outputs=outputs, any_batch=True)
        self._fixed = expand(model, outputs=outputs)
        self._fixed_outputs = _independent(self._fixed)
        self._chunk = chunk
        self._session: Session | None = None
        self._batched = True

    def run(self, feeds: Feeds, outputs: Sequence[str] | None = None) -> Tensors:
        """Outputs for all samples, first dimension the samples'."""
        count = next(iter(feeds.values())).shape[0]
        if self._session is None:
            self._prepare(feeds)
        assert self._session is not None
        size = self._chunk if self._batched else 1
        parts = [
            self._session.run({n: a[i : i + size] for n, a in feeds.items()}, outputs)
            for i in range(0, count, size)
        ]
        whole: Tensors = {}
        for name, first in parts[0].items():
            if name in self._fixed_outputs:
                whole[name] = np.repeat(stacked(first), count, axis=0)
            elif self._batched:
                whole[name] = np.concatenate([p[name] for p in parts])
            else:
                whole[name] = np.concatenate([stacked(p[name]) for p in parts])
        return whole

    def _prepare(self, feeds: Feeds) -> None:
        one = {name: array[:1] for name, array in feeds.items()}
        two = {name: np.concatenate([array, array]) for name, array in one.items()}
        try:
            session = Session(self._free)
            single, double = session.run(one), session.run(two)
            if all(
                single[n].ndim > 0
                and double[n].shape == (2, *single[n].shape[1:])
                and np.array_equal(double[n][:1], double[n][1:])
                for n in single
                if n not in self._fixed_outputs
            ):
                self._session = session
                return
        except ModelError:
            pass
        self._batched = False
        self._session = Session(self._fixed)


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
