# SPDX-License-Identifier: Apache-2.0
"""A QuantRNNCell with random weights, and what it computes, in numpy: a second opinion that shares
no code with qnnc."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from benchmarks.qonnx_graph import QONNX
from tests.support.lstm import Array, quantized

ACCUMULATOR, OUTPUT = (1 / 32, 8, True), (1 / 8, 4, True)
WEIGHT_SCALE = 0.11


@dataclass
class Rnn:
    """A cell over a sequence, its first axis a batch of one.

    Attributes:
        inputs, hidden, steps: sizes.
        function: tanh or relu.
    """

    inputs: int = 5
    hidden: int = 4
    steps: int = 3
    function: str = "tanh"
    reverse: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.seed)
        self.weights = [
            rng.normal(size=(self.hidden, size), scale=0.5).astype(np.float32)
            for size in (self.inputs, self.hidden)
        ]
        self.bias = rng.normal(size=self.hidden, scale=0.3).astype(np.float32)
        self.start = quantized(rng.normal(size=(1, self.hidden)).astype(np.float32), *OUTPUT)

    def forward(self, x: Array) -> tuple[Array, Array]:
        """Hidden states of every step [T, H] in the input's order, and the last one, for a
        sequence [T, I]: Brevitas' forward, in float32."""
        w, u = (quantized(m, WEIGHT_SCALE, 4, True) for m in self.weights)
        x, h = quantized(x, *OUTPUT), self.start[0]
        found = np.empty((self.steps, self.hidden), np.float32)
        for t in range(self.steps)[:: -1 if self.reverse else 1]:
            gate = quantized((w @ x[t] + u @ h + self.bias).astype(np.float32), *ACCUMULATOR)
            gate = np.tanh(gate) if self.function == "tanh" else np.maximum(gate, 0)
            h = found[t] = quantized(gate, *OUTPUT)
        return found, h

    def model(self) -> onnx.ModelProto:
        """As frontends/brevitas makes torch write it."""
        nodes, constants = [], []

        def number(value: object) -> str:
            name = f"c{len(constants)}"
            constants.append(numpy_helper.from_array(np.asarray(value, np.float32), name))
            return name

        def parameters(scale: float, bits: int, _signed: bool) -> list[str]:
            return [number(scale), number(0), number(bits)]

        def quant(x: str, scale: float, name: str) -> str:
            operands = [x, *parameters(scale, 4, True)]
            options = {"signed": 1, "narrow": 0, "rounding_mode": "ROUND"}
            nodes.append(helper.make_node("Quant", operands, [name], name, domain=QONNX, **options))
            return name

        given = [quant("x", OUTPUT[0], "xq"), number(self.start)]
        given += [
            quant(number(m), WEIGHT_SCALE, name)
            for m, name in zip(self.weights, ("w", "u"), strict=True)
        ]
        given += [number(self.bias), *parameters(*ACCUMULATOR), *parameters(*OUTPUT)]
        options: dict[str, object] = {"batch_first": 1, "reverse_input": int(self.reverse)}
        options["nonlinearity"] = self.function
        for name in ("gate_acc", "output"):
            options |= {f"{name}_narrow": 0, f"{name}_signed": 1, f"{name}_rounding_mode": "ROUND"}
        nodes.append(
            helper.make_node("QuantRNNCell", given, ["y", "h"], "cell", domain=QONNX, **options)
        )
        shape = (1, self.steps, self.inputs)
        graph = helper.make_graph(
            nodes,
            "rnn",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in ("y", "h")],
            constants,
        )
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid(QONNX, 2)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=9)
