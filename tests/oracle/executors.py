# SPDX-License-Identifier: Apache-2.0
"""Other people's executors on the untouched file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from unittest.mock import patch

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.infer_shapes import InferShapes

from tests.oracle.quantizers import MODES

Tensors = dict[str, NDArray[Any]]


def by_qonnx(proto: onnx.ModelProto, feeds: Mapping[str, NDArray[Any]]) -> Tensors:
    """All tensors of a QONNX model as QONNX's executor computes them, sample by sample."""
    wrapper = ModelWrapper(_spelled(proto)).transform(InferShapes())
    runs = []
    # it makes a model of each node, by default of a newer version than ONNX Runtime may know
    with patch("onnx.IR_VERSION", proto.ir_version):
        for i in range(len(next(iter(feeds.values())))):
            one = {name: array[i : i + 1] for name, array in feeds.items()}
            runs.append(execute_onnx(wrapper, one, return_full_exec_context=True))
    made = {name for node in proto.graph.node for name in node.output}
    return {
        n: np.concatenate([r[n] for r in runs])
        for n in runs[0]
        if n in made and _batched(runs[0][n])
    }


def _batched(array: NDArray[Any]) -> bool:
    return array.ndim > 0 and array.shape[0] == 1


def _spelled(proto: onnx.ModelProto) -> onnx.ModelProto:
    """With rounding modes as QONNX's executor spells them."""
    copy = onnx.ModelProto()
    copy.CopyFrom(proto)
    for node in copy.graph.node:
        for attribute in node.attribute:
            if attribute.name == "rounding_mode":
                mode = attribute.s.decode().upper()
                attribute.s = MODES.get(mode, mode).encode()
    return copy


def by_onnx_runtime(
    proto: onnx.ModelProto, feeds: Mapping[str, NDArray[Any]], also: Sequence[str] = ()
) -> Tensors:
    """Outputs and other tensors as ONNX Runtime computes them, without graph optimizations."""
    whole = onnx.ModelProto()
    whole.CopyFrom(proto)
    known = {value.name for value in whole.graph.output}
    whole.graph.output.extend(onnx.ValueInfoProto(name=n) for n in also if n not in known)
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(
        whole.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    names = [value.name for value in session.get_outputs()]
    runs = []
    for i in range(len(next(iter(feeds.values())))):
        runs.append(session.run(names, {n: a[i : i + 1] for n, a in feeds.items()}))
    return {n: np.concatenate([r[k] for r in runs]) for k, n in enumerate(names)}
