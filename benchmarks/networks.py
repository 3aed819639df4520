# SPDX-License-Identifier: Apache-2.0
"""Quantized MLPs with random weights, as QONNX: sizes to measure and to test with.

python benchmarks/networks.py lfc out.onnx
python benchmarks/networks.py tfc out.onnx
python benchmarks/networks.py w4a4 out.onnx
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

QONNX = "qonnx.custom_op.general"


@dataclass
class MlpSpec:
    """An MLP.

    Attributes:
        widths: inputs, hidden layers, outputs.
        weight_bits: 1 for bipolar, else signed narrow integers.
        activation_bits: 1 for bipolar.
        activation: "sign", "relu", "tanh", "sigmoid" or "hardtanh" before the quantizer.
        input_bits: of the first quantizer (signed), 1 for bipolar.
        seed: of the random weights and batch norms.
        batch_norm: whether there is one after each product.
        bias: whether products have one.
        per_channel: a weight scale for each output.
        two_and_over: quantizers whose steps are powers of two and reach almost 2 (`step_of`).
    """

    widths: Sequence[int]
    weight_bits: int = 1
    activation_bits: int = 1
    activation: str = "sign"
    input_bits: int = 1
    seed: int = 0
    batch_norm: bool = True
    bias: bool = False
    per_channel: bool = False
    two_and_over: bool = False


LFC = MlpSpec((784, 1024, 1024, 1024, 10))
TFC = MlpSpec((784, 64, 64, 64, 10))
NAMED = {"lfc": LFC, "tfc": TFC}


def step_of(bits: int) -> float:
    """Step of a symmetric quantizer of `bits` bits from -(2 - step) to 2 - step; 1 bit is -1 and
    +1 (Bacchus et al., "Accuracy, Training Time and Hardware Efficiency Trade-Offs for Quantized
    Neural Networks on FPGAs", ARC 2020)."""
    return 1.0 if bits == 1 else 2.0 ** -(bits - 2)


def tanh_mlp(
    weight_bits: int, activation_bits: int, widths: Sequence[int] = LFC.widths, seed: int = 0
) -> MlpSpec:
    """That paper's network, tanh and batch norm, at one of its 64 pairs of widths."""
    return MlpSpec(
        widths,
        weight_bits,
        activation_bits,
        "tanh",
        input_bits=activation_bits,
        seed=seed,
        two_and_over=True,
    )


@dataclass
class _Graph:
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)

    def constant(self, name: str, array: object) -> str:
        data = np.asarray(array, dtype=np.float32)
        self.constants.append(numpy_helper.from_array(data, name))
        return name

    def node(
        self, op: str, inputs: Sequence[str], output: str, domain: str = "", **attributes: object
    ) -> str:
        self.nodes.append(
            helper.make_node(
                op, list(inputs), [output], name=f"{op}_{output}", domain=domain, **attributes
            )
        )
        return output

    def quantizer(
        self, x: str, name: str, bits: int, scale: object, *, signed: bool, narrow: bool
    ) -> str:
        s = self.constant(f"{name}_scale", scale)
        if bits == 1:
            return self.node("BipolarQuant", [x, s], name, QONNX)
        zero = self.constant(f"{name}_zero", 0)
        width = self.constant(f"{name}_bits", bits)
        return self.node(
            "Quant",
            [x, s, zero, width],
            name,
            QONNX,
            signed=int(signed),
            narrow=int(narrow),
            rounding_mode="ROUND",
        )


def mlp(spec: MlpSpec) -> onnx.ModelProto:
    """The network as a QONNX model, input [1, widths[0]], opset 13."""
    rng = np.random.default_rng(spec.seed)
    g = _Graph()
    x = g.quantizer(
        "x",
        "x_q",
        spec.input_bits,
        step_of(spec.input_bits)
        if spec.two_and_over
        else 1 / max(1, 2 ** (spec.input_bits - 1) - 1),
        signed=True,
        narrow=True,
    )
    layers = len(spec.widths) - 1
    for i, (k, m) in enumerate(zip(spec.widths[:-1], spec.widths[1:], strict=True)):
        x = _linear(g, rng, spec, x, i, k, m)
        if i < layers - 1:
            x = _activation(g, rng, spec, x, i, m)
    graph = helper.make_graph(
        g.nodes,
        "mlp",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, spec.widths[0]])],
        [helper.make_tensor_value_info(x, TensorProto.FLOAT, [1, spec.widths[-1]])],
        g.constants,
    )
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid(QONNX, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def _linear(
    g: _Graph, rng: np.random.Generator, spec: MlpSpec, x: str, i: int, k: int, m: int
) -> str:
    top = 2 ** (spec.weight_bits - 1) - 1
    scale = rng.uniform(0.5, 1.5, size=(1, m) if spec.per_channel else ()) / max(1, top)
    if spec.two_and_over:
        scale = step_of(spec.weight_bits)
    weights = g.constant(f"w{i}", rng.normal(size=(k, m)))
    w = g.quantizer(weights, f"w{i}_q", spec.weight_bits, scale, signed=True, narrow=True)
    y = g.node("MatMul", [x, w], f"y{i}")
    if spec.bias:
        y = g.node("Add", [y, g.constant(f"b{i}", rng.normal(size=m))], f"y{i}_b")
    if spec.batch_norm:
        parameters = [
            g.constant(f"gamma{i}", rng.uniform(0.5, 1.5, m) * rng.choice([-1, 1], m)),
            g.constant(f"beta{i}", rng.normal(size=m) * 0.3),
            g.constant(f"mean{i}", rng.normal(size=m) * np.sqrt(k) * 0.3),
            g.constant(f"var{i}", rng.uniform(0.5, 1.5, m) * k / 3),
        ]
        y = g.node("BatchNormalization", [y, *parameters], f"n{i}", epsilon=1e-5)
    return y


def _activation(g: _Graph, rng: np.random.Generator, spec: MlpSpec, x: str, i: int, m: int) -> str:
    name = f"a{i}"
    if spec.activation_bits == 1:
        return g.quantizer(x, f"{name}_q", 1, 1.0, signed=True, narrow=True)
    signed = spec.activation not in ("relu", "sigmoid")
    if spec.activation == "hardtanh":
        low, high = g.constant(f"{name}_low", -1), g.constant(f"{name}_high", 1)
        x = g.node("Clip", [x, low, high], name)
    elif spec.activation != "sign":
        op = {"relu": "Relu", "tanh": "Tanh", "sigmoid": "Sigmoid"}[spec.activation]
        x = g.node(op, [x], name)
    top = 2 ** (spec.activation_bits - signed) - 1
    scale = (2.0 if spec.activation == "relu" else 1.0) / top
    if spec.two_and_over:
        scale = step_of(spec.activation_bits)
    return g.quantizer(x, f"{name}_q", spec.activation_bits, scale, signed=signed, narrow=signed)


def main() -> None:
    """Write a named network to a file."""
    name = sys.argv[1] if len(sys.argv) == 3 else ""
    pair = re.fullmatch(r"w([1-8])a([1-8])", name)
    if name not in NAMED and not pair:
        raise SystemExit("usage: networks.py lfc|tfc|w1a1|...|w8a8 OUT.onnx")
    spec = tanh_mlp(int(pair[1]), int(pair[2])) if pair else NAMED[name]
    onnx.save(mlp(spec), sys.argv[2])


if __name__ == "__main__":
    main()
