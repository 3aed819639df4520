# SPDX-License-Identifier: Apache-2.0
"""The golden graph: the quantized network as imported, run in ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from qnnc.compiler.ir.edit import constant
from qnnc.compiler.ir.quantizers import QUANTIZERS
from qnnc.compiler.reference import BatchRunner, Tensors

_LINEAR = frozenset({"MatMul", "Gemm", "Conv", "ConvTranspose", "Add", "TopK", "ArgMax"})


class Golden:
    """A snapshot of the imported model with the tensors that the compiled one is compared in:
    what quantizers and linear operators give, what labels are chosen from, and the outputs."""

    def __init__(self, model: ir.Model) -> None:
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
        self.scores = frozenset(scores)
        watched = [v for v in dict.fromkeys(watched) if not v.is_graph_input()]
        self.tensors = frozenset(str(v.name) for v in watched) | frozenset(self.inputs)
        self._runner = BatchRunner(model, watched)

    def run(self, inputs: Mapping[str, NDArray[Any]], names: list[str] | None = None) -> Tensors:
        """Tensors by name (all watched ones by default) for a batch of samples."""
        wanted = [n for n in names or sorted(self.tensors) if n not in inputs]
        found = self._runner.run(inputs, wanted) if wanted else {}
        return {**found, **{name: np.asarray(array) for name, array in inputs.items()}}
