# SPDX-License-Identifier: Apache-2.0
"""Six float networks through ONNX Runtime's quantizer in thirteen settings, and through `qnnc
quantize`, each compiled and compared with ONNX Runtime on the quantizer's own file. The golden
graph must equal that bit by bit; the compiled graph too, but for near-ties (a float32 mean on a
decision boundary, say), which are counted.

    python -m benchmarks.quantizer_settings [--only NETWORK[:SETTING]]
"""

from __future__ import annotations

import argparse
import logging
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from qnnc.compiler import api
from qnnc.compiler.errors import QnncError
from qnnc.compiler.ir.facts import integer
from qnnc.compiler.ir.saved import load_ir
from qnnc.compiler.verification import Golden, Outcome, Verifier
from qnnc.quantization import quantize

Array = NDArray[Any]
SAMPLES = 16
OURS = "qnnc-quantize"
"""The settings that `qnnc quantize` has chosen."""
CLOSE = 2.0**-20


class Net:
    """A float network under construction; every method returns the name of a tensor."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, array: object, kind: type = np.float32) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(array, dtype=kind), name))
        return name

    def op(self, op: str, *inputs: str, **attributes: object) -> str:
        output = f"{op.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [output], f"n_{output}", **attributes))
        return output

    def normal(self, *shape: int, scale: float) -> str:
        return self.constant(self.rng.normal(size=shape) * scale)

    def gemm(self, x: str, k: int, m: int) -> str:
        weights, bias = self.normal(k, m, scale=k**-0.5), self.normal(m, scale=0.1)
        return self.op("Gemm", x, weights, bias)

    def conv(self, x: str, c: int, m: int, size: int = 3, stride: int = 1, group: int = 1) -> str:
        weights = self.normal(m, c // group, size, size, scale=(c // group * size * size) ** -0.5)
        kernel: dict[str, object] = {"kernel_shape": [size] * 2, "pads": [size // 2] * 4}
        bias = self.normal(m, scale=0.1)
        return self.op("Conv", x, weights, bias, strides=[stride] * 2, group=group, **kernel)

    def model(self, shape: list[int], y: str, out: list[int]) -> onnx.ModelProto:
        values = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, dims)
            for name, dims in (("x", shape), (y, out))
        ]
        graph = helper.make_graph(self.nodes, "net", values[:1], values[1:], self.constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def mlp() -> onnx.ModelProto:
    """Three dense layers."""
    net = Net(0)
    x = net.op("Relu", net.gemm("x", 20, 16))
    x = net.op("Relu", net.gemm(x, 16, 12))
    return net.model([1, 20], net.gemm(x, 12, 5), [1, 5])


def residual() -> onnx.ModelProto:
    """Two residual blocks, the second with a projection."""
    net = Net(1)
    start = net.op("Relu", net.conv("x", 3, 6))
    x = net.conv(net.op("Relu", net.conv(start, 6, 6)), 6, 6)
    start = net.op("Relu", net.op("Add", x, start))
    x = net.conv(net.op("Relu", net.conv(start, 6, 8, stride=2)), 8, 8)
    x = net.op("Relu", net.op("Add", x, net.conv(start, 6, 8, 1, 2)))
    x = net.op("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = net.op("Flatten", net.op("GlobalAveragePool", x))
    return net.model([1, 3, 8, 8], net.gemm(x, 8, 4), [1, 4])


def separable() -> onnx.ModelProto:
    """Depthwise and pointwise layers with ReLU6, an average pool."""
    net = Net(2)
    six = net.constant(0), net.constant(6)
    x = net.op("Clip", net.conv("x", 3, 6, stride=2), *six)
    x = net.op("Clip", net.conv(x, 6, 6, group=6), *six)
    x = net.op("Relu", net.conv(x, 6, 8, 1))
    x = net.op("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = net.op("MatMul", net.op("Flatten", x), net.normal(32, 4, scale=0.2))
    return net.model([1, 3, 8, 8], x, [1, 4])


def inception() -> onnx.ModelProto:
    """Branches of different functions, put together."""
    net = Net(3)
    x = net.op("Relu", net.conv("x", 2, 4))
    a = net.op("Relu", net.conv(x, 4, 3, 1))
    b = net.op("Sigmoid", net.conv(x, 4, 3))
    c = net.op("MaxPool", x, kernel_shape=[3, 3], strides=[1, 1], pads=[1, 1, 1, 1])
    x = net.op("Concat", a, b, net.op("LeakyRelu", net.conv(c, 4, 2, 1), alpha=0.1), axis=1)
    x = net.op("GlobalAveragePool", net.op("Relu", net.conv(x, 8, 4, stride=2)))
    return net.model([1, 2, 6, 6], net.gemm(net.op("Flatten", x), 4, 3), [1, 3])


def excited() -> onnx.ModelProto:
    """Squeeze and excitation, with a hard sigmoid for a gate, as in MobileNetV3."""
    net = Net(4)
    x = net.op("Relu", net.conv("x", 2, 6))
    z = net.op("Relu", net.conv(net.op("GlobalAveragePool", x), 6, 3, 1))
    z = net.op("HardSigmoid", net.conv(z, 3, 6, 1), alpha=1 / 6, beta=0.5)
    x = net.op("Relu", net.conv(net.op("Mul", x, z), 6, 4, 1))
    x = net.op("Flatten", net.op("GlobalAveragePool", x))
    return net.model([1, 2, 6, 6], net.gemm(x, 4, 3), [1, 3])


def enlarging() -> onnx.ModelProto:
    """Down and up again, joined by a Concat: nearest Resize."""
    net = Net(5)
    wide = net.op("Relu", net.conv("x", 2, 4))
    x = net.op("Relu", net.conv(wide, 4, 4, stride=2))
    scales = net.constant([1, 1, 2, 2])
    rules = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    x = net.op("Resize", x, "", scales, mode="nearest", **rules)
    x = net.op("Concat", x, wide, axis=1)
    return net.model(
        [1, 2, 6, 6], net.conv(net.op("Relu", net.conv(x, 8, 4)), 4, 2, 1), [1, 2, 6, 6]
    )


NETWORKS: dict[str, Callable[[], onnx.ModelProto]] = {
    f.__name__: f for f in (mlp, residual, separable, inception, excited, enlarging)
}


@dataclass(frozen=True)
class Setting:
    """How the quantizer is called.

    Attributes:
        activations: type of activations.
        weights: type of weights.
        qoperator: fused operators instead of QDQ.
        options: further arguments of quantize_static.
        refused: a word of the refusal where that is right.
    """

    activations: str = "QUInt8"
    weights: str = "QInt8"
    qoperator: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    refused: str = ""


_SYMMETRIC = {"ActivationSymmetric": True, "WeightSymmetric": True}
SETTINGS: dict[str, Setting] = {
    "U8S8": Setting(),
    "U8U8": Setting(weights="QUInt8"),
    "S8S8": Setting("QInt8"),
    "S8S8-symmetric": Setting("QInt8", options={"extra_options": _SYMMETRIC}),
    "U8S8-channels": Setting(options={"per_channel": True}),
    "S8S8-channels": Setting("QInt8", options={"per_channel": True}),
    "U8S8-reduced": Setting(options={"reduce_range": True}),
    "U8S8-asymmetric": Setting(options={"extra_options": {"WeightSymmetric": False}}),
    "U8S4": Setting(weights="QInt4"),
    "U8U8-operators": Setting(weights="QUInt8", qoperator=True),
    "S8S8-operators": Setting("QInt8", qoperator=True),
    "U8S8-operators-channels": Setting(
        qoperator=True, options={"per_channel": True, "reduce_range": True}
    ),
    "U16S8": Setting("QUInt16", refused="bits"),
    OURS: Setting(),
}


def quantized(network: str, setting: str, folder: Path) -> Path:
    """The quantizer's file."""
    from onnxruntime.quantization import (
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quantize_static,
    )

    proto, how = NETWORKS[network](), SETTINGS[setting]
    shape = [d.dim_value for d in proto.graph.input[0].type.tensor_type.shape.dim]

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.samples: Iterator[Array] = iter(inputs(shape, 16, seed=5))

        def get_next(self) -> dict[str, Array] | None:
            sample = next(self.samples, None)
            return None if sample is None else {"x": sample[None]}

    onnx.save(proto, folder / "float.onnx")
    if setting == OURS:
        target = folder / "quantized.onnx"
        quantize(folder / "float.onnx", target, calibrate=inputs(shape, 16, seed=5))
        return target
    logging.disable(logging.WARNING)
    try:
        quantize_static(
            folder / "float.onnx",
            folder / "quantized.onnx",
            Reader(),
            quant_format=QuantFormat.QOperator if how.qoperator else QuantFormat.QDQ,
            activation_type=getattr(QuantType, how.activations),
            weight_type=getattr(QuantType, how.weights),
            **how.options,
        )
    finally:
        logging.disable(logging.NOTSET)
    return folder / "quantized.onnx"


def inputs(shape: list[int], count: int, seed: int) -> Array:
    """Random samples [count, ...]."""
    values = np.random.default_rng(seed).normal(size=(count, *shape[1:])) * 1.3 + 0.2
    return values.astype(np.float32)


@dataclass(frozen=True)
class Verdict:
    """What became of a file.

    Attributes:
        ends: "exact", "refused" or "differs".
        text: the refusal, or how far the outputs are apart.
    """

    ends: str
    text: str = ""


def check(network: str, setting: str, folder: Path) -> Verdict:
    """Quantize, compile, compare the compiled graph with ONNX Runtime on the quantizer's file."""
    return compared(quantized(network, setting, folder), folder)


def compared(path: Path, folder: Path) -> Verdict:
    """Compile a quantized model and compare with ONNX Runtime on the file."""
    try:
        api.compile(path, out=folder / "build")
    except QnncError as error:
        return Verdict("refused", str(error))
    model = folder / "build" / "model"
    sessions = [_session(p) for p in (model / "compiled.onnx", model / "golden.onnx", path)]
    shape = [d if isinstance(d, int) else 1 for d in sessions[0].get_inputs()[0].shape]
    x = inputs(shape, SAMPLES, seed=6)
    mine, golden, theirs = (
        np.concatenate([s.run(None, {"x": sample[None]})[0] for sample in x]) for s in sessions
    )
    if not np.array_equal(golden, theirs):
        return Verdict("differs", "the golden graph, from ONNX Runtime on the file")
    allowed = float(np.abs(theirs).max(initial=0)) * CLOSE
    wrong = (np.abs(mine - theirs) > allowed).reshape(SAMPLES, -1).any(axis=1)
    if not wrong.any():
        return Verdict("exact")
    outcome = _near_ties(model, x)
    if not outcome.faulty.any() and np.all(outcome.diverged[wrong]):
        return Verdict("exact", f"{int(wrong.sum())} of {SAMPLES} samples by near-ties")
    return Verdict("differs", f"by up to {np.abs(mine - theirs).max():g}")


def _near_ties(model: Path, x: Array) -> Outcome:
    """Which samples go their own way by the golden graph's rounding, and which are faulty."""
    dataflow, _ = load_ir(model / "dataflow.onnx")
    facts = [integer(value) for node in dataflow.graph for value in node.outputs]
    golden = ir.from_proto(onnx.load(model / "golden.onnx"))
    compared = {fact.golden for fact in facts if fact is not None}
    return Verifier(Golden(golden, also=compared), {"x": x}).check(dataflow)


def _session(path: Path) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def main() -> None:
    """One line per network and setting, and the count of each outcome."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="NETWORK, NETWORK:SETTING or :SETTING")
    wanted = parser.parse_args().only.partition(":")
    counts: dict[str, int] = {}
    for network in NETWORKS:
        for setting, how in SETTINGS.items():
            if wanted[0] not in ("", network) or wanted[2] not in ("", setting):
                continue
            start = time.perf_counter()
            with tempfile.TemporaryDirectory() as folder:
                verdict = check(network, setting, Path(folder))
            right = (
                how.refused in verdict.text if how.refused else False
            ) or verdict.ends == "exact"
            kind = verdict.ends if right else f"{verdict.ends}, WRONG"
            counts[kind] = counts.get(kind, 0) + 1
            seconds = time.perf_counter() - start
            print(f"{network:10} {setting:24} {kind:16} {seconds:5.1f} s  {verdict.text[:200]}")
    print(", ".join(f"{count} {kind}" for kind, count in sorted(counts.items())))


if __name__ == "__main__":
    main()
