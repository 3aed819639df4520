# SPDX-License-Identifier: Apache-2.0
"""An LSTM as Brevitas exports it, with random weights, and what it computes, in numpy: a second
opinion that shares no code with qnnc."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from benchmarks.qonnx_graph import QONNX

Array = NDArray[np.float32]
QUANTIZERS = (
    *("output", "cell_state", "input_acc", "forget_acc", "cell_acc", "output_acc"),
    *("input_sigmoid", "forget_sigmoid", "cell_tanh", "output_sigmoid", "hidden_state_tanh"),
)
GATES = ("input", "forget", "cell", "output")


def quantized(x: Array, scale: float, bits: int, signed: bool) -> Array:
    """Quant with zero point 0, not narrow, as QONNX defines it."""
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    step = np.float32(scale)
    found: Array = np.rint(np.clip(x / step, low, high)).astype(np.float32) * step
    return found


@dataclass
class Lstm:
    """A cell over a sequence.

    Attributes:
        inputs, hidden, steps: sizes.
        bits: of input, weights, gates and hidden state.
        scales: of the quantizers, by name; sigmoids are unsigned.
        nearest: how near the last `forward` came to a place halfway between two codes, in steps.
    """

    inputs: int = 5
    hidden: int = 4
    steps: int = 3
    bits: int = 4
    wide: int = 8
    seed: int = 0
    bias: bool = True
    coupled: bool = False
    reverse: bool = False
    batch_first: bool = True
    start: bool = False
    scales: dict[str, float] = field(default_factory=dict)
    nearest: float = np.inf

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        top = 2 ** (self.bits - 1)
        self.of = dict.fromkeys(QUANTIZERS, (1.0 / top, self.bits, True))
        for name in QUANTIZERS:
            if "acc" in name or name == "cell_state":
                self.of[name] = (4.0 / 2 ** (self.wide - 1), self.wide, True)
            if "sigmoid" in name:
                self.of[name] = (1.0 / (2 * top - 1), self.bits, False)
            if name in self.scales:
                self.of[name] = (self.scales[name], *self.of[name][1:])
        self.weight_scale = self.scales.get("weight", 0.11)
        sizes = (self.inputs, self.hidden)
        self.weights = {
            (gate, size): self.rng.normal(size=(self.hidden, size), scale=0.5).astype(np.float32)
            for gate in GATES
            for size in dict.fromkeys(sizes)
        }
        self.biases = {
            gate: (self.rng.normal(size=self.hidden) * self.bias * 0.3).astype(np.float32)
            for gate in GATES
        }
        shape = (1, self.hidden)
        self.starts = [
            quantized(self.rng.normal(size=shape).astype(np.float32), *self.of[name]) * self.start
            for name in ("output", "cell_state")
        ]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of the model's input."""
        first, second = (1, self.steps) if self.batch_first else (self.steps, 1)
        return first, second, self.inputs

    def matrix(self, gate: str, size: int) -> Array:
        """Quantized weights."""
        return quantized(self.weights[gate, size], self.weight_scale, self.bits, True)

    def forward(self, x: Array) -> tuple[Array, Array, Array]:
        """Hidden states of every step [T, H] in the input's order, the last one, and the last cell
        state, for a sequence [T, I]: Brevitas' forward, in float32."""
        self.nearest = np.inf
        q = {name: lambda v, p=p: self._quantized(v, *p) for name, p in self.of.items()}
        x = q["output"](x)
        h, c = (start[0] for start in self.starts)
        found = np.empty((self.steps, self.hidden), np.float32)
        for t in range(self.steps)[:: -1 if self.reverse else 1]:
            g = {}
            for gate in GATES:
                total = self.matrix(gate, self.inputs) @ x[t] + self.matrix(gate, self.hidden) @ h
                acc = q[f"{gate}_acc"]((total + self.biases[gate]).astype(np.float32))
                if gate == "cell":
                    g[gate] = q["cell_tanh"](np.tanh(acc))
                else:
                    sigmoid = (1 / (1 + np.exp(-acc.astype(np.float64)))).astype(np.float32)
                    g[gate] = q[f"{gate}_sigmoid"](sigmoid)
            if self.coupled:
                one = q["input_sigmoid"](np.ones(self.hidden, np.float32))
                g["forget"] = one - g["input"]
            state = q["cell_state"]
            c = state(state(g["forget"] * c) + state(g["input"] * g["cell"]))
            h = q["output"](g["output"] * q["hidden_state_tanh"](np.tanh(c)))
            found[t] = h
        return found, h, c

    def _quantized(self, x: Array, scale: float, bits: int, signed: bool) -> Array:
        steps = np.asarray(x, np.float64) / np.float64(np.float32(scale))
        self.nearest = min(self.nearest, float(np.abs(steps - np.floor(steps) - 0.5).min()))
        return quantized(x, scale, bits, signed)

    def model(self, *, head: int = 0) -> onnx.ModelProto:
        """As Brevitas writes it; with a head, a product of the last step in the place of the
        node's own outputs."""
        nodes, constants = [], []

        def number(value: object) -> str:
            name = f"c{len(constants)}"
            constants.append(numpy_helper.from_array(np.asarray(value, np.float32), name))
            return name

        def quant(x: str, scale: float, bits: int, signed: bool, name: str) -> str:
            inputs = [x, number(scale), number(0), number(bits)]
            options = {"signed": int(signed), "narrow": 0, "rounding_mode": "ROUND"}
            nodes.append(helper.make_node("Quant", inputs, [name], name, domain=QONNX, **options))
            return name

        x = quant("x", *self.of["output"], "xq")
        sides = [
            quant(
                number(self.weights[gate, size]), self.weight_scale, self.bits, True, f"w_{gate}{i}"
            )
            for i, size in enumerate((self.inputs, self.hidden))
            for gate in GATES
        ]
        biases = [number(self.biases[gate]) for gate in GATES]
        given = [x, *(number(start) for start in self.starts), *sides, *biases]
        options: dict[str, object] = {}
        for name in QUANTIZERS:
            scale, bits, signed = self.of[name]
            given += [number(scale), number(0), number(bits)]
            narrow = "narrow_range" if name == "output_sigmoid" else "narrow"
            options |= {f"{name}_{narrow}": 0, f"{name}_signed": int(signed)}
            options[f"{name}_rounding_mode"] = "ROUND"
        options |= {"batch_first": int(self.batch_first), "reverse_input": int(self.reverse)}
        options["cifg"] = int(self.coupled)
        outputs = ["y", "h", "c"]
        cell = helper.make_node("QuantLSTMCell", given, outputs, "cell", domain=QONNX, **options)
        nodes.append(cell)
        if head:
            weights = self.rng.normal(size=(self.hidden, head)).astype(np.float32)
            w = quant(number(weights), 0.2, 4, True, "w_head")
            nodes.append(helper.make_node("MatMul", ["h", w], ["scores"], "head"))
            outputs = ["scores"]
        graph = helper.make_graph(
            nodes,
            "lstm",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, self.shape)],
            [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in outputs],
            constants,
        )
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid(QONNX, 2)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=9)
