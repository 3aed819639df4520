# SPDX-License-Identifier: Apache-2.0
"""Running plain ONNX models in ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
import onnxruntime as ort
from numpy.typing import NDArray

from qnnc.compiler.errors import ModelError

Tensors = dict[str, NDArray[Any]]


class Session:
    """A plain ONNX model ready to run, without graph optimisations, so that the operators are
    computed one by one in the order in which they stand."""

    def __init__(self, model: ir.Model, threads: int = 0) -> None:
        options = ort.SessionOptions()
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.log_severity_level = 4
        options.intra_op_num_threads = threads
        # most runs are short: threads that wait busily for the next one cost a third more
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = ort.InferenceSession(
                ir.to_proto(model).SerializeToString(),
                options,
                providers=["CPUExecutionProvider"],
            )
        except Exception as error:  # ONNX Runtime has no common base of its exceptions
            raise ModelError(f"ONNX Runtime refuses the model: {_first_line(error)}") from error
        self.outputs = [o.name for o in self._session.get_outputs()]

    def run(
        self, feeds: Mapping[str, NDArray[Any]], outputs: Sequence[str] | None = None
    ) -> Tensors:
        """Run once on tensors of the inputs' shapes; returns the outputs by name.

        Raises:
            ModelError: ONNX Runtime fails on these inputs.
        """
        wanted = list(self.outputs if outputs is None else outputs)
        try:
            results = self._session.run(wanted, dict(feeds))
        except Exception as error:
            raise ModelError(f"ONNX Runtime cannot run the model: {_first_line(error)}") from error
        return {name: np.asarray(result) for name, result in zip(wanted, results, strict=True)}


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]
