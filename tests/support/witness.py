# SPDX-License-Identifier: Apache-2.0
"""What others compute of a user's model: qonnx's executor, or ONNX Runtime on the file itself.

Nothing here uses qnnc, so that a misreading of an operator cannot agree with itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import numpy_helper

Array = NDArray[Any]
CUSTOM = ("qonnx", "finn", "onnx.brevitas")


def is_qonnx(model: onnx.ModelProto) -> bool:
    """ONNX Runtime alone cannot run the model."""
    return any(node.domain.startswith(CUSTOM) for node in model.graph.node)


def real_inputs(model: onnx.ModelProto) -> list[onnx.ValueInfoProto]:
    """Inputs that are not initializers."""
    constants = {tensor.name for tensor in model.graph.initializer}
    return [value for value in model.graph.input if value.name not in constants]


def shape_of(value: onnx.ValueInfoProto) -> list[int]:
    """Dimensions, 1 for those that are not given."""
    return [d.dim_value or 1 for d in value.type.tensor_type.shape.dim]


def run(path: Path, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """Outputs for inputs [samples, …], one sample after the other, by name."""
    model = onnx.load(path)
    step = _qonnx_runner(model) if is_qonnx(model) else _runtime_runner(path)
    count = len(next(iter(inputs.values())))
    found = [step({n: a[i : i + 1] for n, a in inputs.items()}) for i in range(count)]
    return {name: np.stack([f[name] for f in found]) for name in found[0]}


def _runtime_runner(path: Path) -> Any:
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return lambda feeds: dict(zip(names, session.run(None, feeds), strict=True))


def _qonnx_runner(model: onnx.ModelProto) -> Any:
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.core.onnx_exec import execute_onnx
    from qonnx.transformation.infer_shapes import InferShapes

    names = [output.name for output in model.graph.output]
    constants = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    given = {value.name for value in real_inputs(model)}
    computed = [output for output in model.graph.output if output.name not in given]
    del model.graph.output[:]  # qonnx takes no output that is an input
    model.graph.output.extend(computed)
    wrapped = ModelWrapper(model).transform(InferShapes())

    def step(feeds: Mapping[str, Array]) -> dict[str, Array]:
        found = {**execute_onnx(wrapped, dict(feeds)), **constants, **feeds}
        return {name: found[name] for name in names}

    return step


def random_inputs(path: Path, count: int, seed: int = 0) -> dict[str, Array]:
    """Samples that reach the ends of the quantizers that read each input, and beyond.

    The first are all low and all high, the next of either at each place, the rest spread evenly.
    """
    model, rng = onnx.load(path), np.random.default_rng(seed)
    inputs = {}
    for value in real_inputs(model):
        low, high = _reach(model, value.name)
        shape = (count, *shape_of(value)[1:])
        kind = onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
        x = rng.uniform(low - 0.1 * (high - low), high + 0.1 * (high - low), shape)
        corners = rng.choice([low, high], shape)
        corners[0], corners[1 % count] = low, high
        taken = count // 2
        x[:taken] = corners[:taken]
        inputs[value.name] = np.rint(x).astype(kind) if kind.kind in "iu" else x.astype(kind)
    return inputs


def _reach(model: onnx.ModelProto, name: str) -> tuple[float, float]:
    """Least and greatest value that a quantizer of this input gives."""
    constants = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    low, high = [], []
    for node in model.graph.node:
        if not node.input or node.input[0] != name:
            continue
        operands = [constants.get(n) for n in node.input[1:]]
        if node.op_type == "Quant" and all(a is not None for a in operands):
            scale, zero, bits = (np.asarray(a, dtype=np.float64) for a in operands)
            signed = next((a.i for a in node.attribute if a.name == "signed"), 1)
            first = -(2 ** (bits - 1)) if signed else 0 * bits
            low.append(float(((first - zero) * scale).min()))
            high.append(float(((first + 2**bits - 1 - zero) * scale).max()))
        elif node.op_type == "QuantizeLinear" and operands and operands[0] is not None:
            zero = operands[1] if len(operands) > 1 and operands[1] is not None else np.uint8(0)
            info = np.iinfo(zero.dtype)
            low.append(float(((info.min - np.int64(zero)) * operands[0]).min()))
            high.append(float(((info.max - np.int64(zero)) * operands[0]).max()))
    return (min(low), max(high)) if low else (-4.0, 4.0)
