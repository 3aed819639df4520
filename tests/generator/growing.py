# SPDX-License-Identifier: Apache-2.0
"""What random graphs are grown from: tensors, quantizers, weights, and the tails between them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from tests.generator.choices import Choices
from tests.generator.writer import QONNX, Writer

LARGEST = 7
"""Size that no dimension exceeds by much."""
MODES = {
    "ROUND": 14, "HALF_EVEN": 1, "CEIL": 2, "FLOOR": 3, "UP": 1, "DOWN": 1,
    "ROUND_TO_ZERO": 1, "HALF_UP": 2, "HALF_DOWN": 1,
}  # fmt: skip
STORED = {
    (8, True): TensorProto.INT8,
    (8, False): TensorProto.UINT8,
    (16, True): TensorProto.INT16,
    (16, False): TensorProto.UINT16,
    (4, True): TensorProto.INT4,
    (4, False): TensorProto.UINT4,
}
SMALLEST_OPSET = {
    "ThresholdedRelu": 10, "Celu": 12, "HardSwish": 14, "Mish": 18, "Gelu": 20,
}  # fmt: skip
ACTIVATIONS: dict[str, float] = {
    "Relu": 12, "LeakyRelu": 4, "PRelu": 4, "Clip": 5, "HardSigmoid": 2, "HardSwish": 2,
    "Tanh": 4, "Sigmoid": 3, "Elu": 3, "Silu": 2, "Gelu": 2, "Selu": 1, "Celu": 1,
    "Softplus": 1, "Softsign": 1, "Mish": 1, "ThresholdedRelu": 2, "Abs": 2, "Neg": 1, "Erf": 1,
    "Exp": 1, "Square": 2, "Min": 1, "Max": 1, "Floor": 1, "Ceil": 1, "Sign": 1, "Bool": 1,
}  # fmt: skip


@dataclass(frozen=True)
class Made:
    """A tensor of the graph.

    Attributes:
        name: of the tensor.
        shape: without the batch.
        rms: root mean square of its values, roughly.
        scale: of its quantizer, one number or one per channel; None for a sum.
        centred: an integer stands for zero, so that it can be padded.
        bits: of its codes or of its sum, roughly.
    """

    name: str
    shape: tuple[int, ...]
    rms: float
    scale: NDArray[np.float32] | None = None
    centred: bool = True
    bits: int = 8

    @property
    def is_image(self) -> bool:
        """There are spatial dimensions."""
        return len(self.shape) > 1

    @property
    def per_tensor(self) -> bool:
        """One scale for all channels."""
        return self.scale is not None and self.scale.size == 1


class Growing:
    """A graph under construction.

    Attributes:
        flavour: "qonnx" or "qdq".
        wild: rules that keep a graph compilable are broken now and then.
        dyadic: scales are powers of two, so that sums are exact and halfway cases common.
        deep: many bits, so that sums are wide.
        reaches: how far each input of the model should go, by name.
    """

    def __init__(self, choose: Choices, flavour: str) -> None:
        c = self.choose = choose
        self.flavour = flavour
        self.wild = c.chance(0.15)
        self.dyadic = c.chance(0.35)
        opsets = [9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21]
        self.opset = c.item(opsets if flavour == "qonnx" else opsets[1:])
        self.w = Writer(self.opset)
        self.w.second = flavour == "qonnx" and c.chance(0.3)
        self.w.as_nodes, self.w.as_inputs = c.chance(0.06), c.chance(0.06)
        self.w.named = c.chance(0.9)
        self.deep = c.chance(0.12)
        self.made: list[Made] = []
        self.used: set[str] = set()
        self.worked = False
        self.reaches: dict[str, tuple[float, float]] = {}

    # --- tensors ----------------------------------------------------------------------------

    def _input(self, name: str) -> None:
        c = self.choose
        rank = c.weighted({3: 7, 2: 2, 1: 2})
        sizes = tuple(c.number(1, LARGEST) for _ in range(rank))
        self.w.input(name, sizes)
        x = self._quantized(Made(name, sizes, 0.6), deep=c.chance(0.1))
        step = float(np.mean(x.scale)) if x.scale is not None else 1.0
        self.reaches[name] = (step, max(x.rms * 2.5, step * 2))
        self.made.append(x)

    def _take(self, wanted: Callable[[Made], bool]) -> Made | None:
        """A tensor that fits, a new or unused one more often than an old one."""
        fitting = [m for m in self.made if wanted(m)]
        if not fitting:
            return None
        unused = [m for m in fitting if m.name not in self.used]
        c = self.choose
        if unused and c.chance(0.7):
            return unused[-1] if c.chance(0.7) else c.item(unused)
        return c.item(fitting)

    def _use(self, *made: Made) -> None:
        self.used.update(m.name for m in made)

    def allowed(self, rule: bool) -> bool:
        """The rule holds, or is broken on purpose."""
        return rule or (self.wild and self.choose.chance(0.3))

    # --- quantizers -------------------------------------------------------------------------

    def _step(self, ideal: float) -> float:
        c = self.choose
        if self.dyadic and c.chance(0.85):
            return float(2.0 ** np.round(np.log2(max(ideal, 1e-6))))
        return float(np.float32(ideal * c.real(0.7, 1.4)))

    def _quantized(self, x: Made, scale: float | None = None, *, deep: bool = False) -> Made:
        """A quantizer that meets the size of the values, or one with a given scale."""
        self._use(x)
        if self.flavour == "qdq":
            return self._qdq(x, scale)
        c = self.choose
        bits = c.weighted({1: 2, 2: 3, 3: 3, 4: 5, 5: 2, 6: 1, 7: 1, 8: 2, 9: 0.3, 10: 0.3})
        bits = c.number(9, 16) if deep or (self.deep and c.chance(0.3)) else bits
        if bits == 1 and scale is None and c.chance(0.6):
            step = np.float32(self._step(x.rms))
            name = self.w.op("BipolarQuant", x.name, self.w.constant(step), domain=QONNX)[0]
            return Made(name, x.shape, float(step), np.asarray(step), bits=1)
        signed, narrow = c.chance(0.6), c.chance(0.4)
        narrow = narrow and (bits > 1 or self.wild)
        reach = 2.0 ** (bits - signed) if bits > 1 else 2.0
        steps: NDArray[np.float32] = np.asarray(
            scale or self._step(2.5 * x.rms / reach), np.float32
        )
        if scale is None and x.is_image and c.chance(0.12):
            dims = (x.shape[0], *(1,) * (len(x.shape) - 1))
            steps = (steps * c.rng.uniform(0.7, 1.4, dims)).astype(np.float32)
        zero = 0.0
        if bits > 1 and c.chance(0.25 if scale is None else 0.12):
            zero = float(c.number(-3, 3 + 2 ** min(bits - 1, 4)))
            zero = zero + 0.5 if scale is None and c.chance(0.15) else zero
        name = self.w.op(
            "Quant",
            x.name,
            *(self.w.constant(v) for v in (steps, zero, bits)),
            domain=QONNX,
            signed=int(signed),
            narrow=int(narrow),
            rounding_mode=c.weighted(MODES),
        )[0]
        top = float(steps.mean()) * 2 ** (bits - signed)
        low = -(2 ** (bits - 1)) if signed else 0
        inside = low <= zero < low + 2**bits
        centred = zero == round(zero) and inside and (bits > 1 or not signed)
        return Made(name, x.shape, min(x.rms, top) or 1.0, steps, centred, bits)

    def _qdq(self, x: Made, scale: float | None) -> Made:
        """QuantizeLinear and DequantizeLinear, with a Clip between for few bits."""
        c = self.choose
        bits = 8
        if self.opset >= 21:
            bits = c.weighted({8: 6, 4: 3, 16: 0.4})
        signed = c.chance(0.6)
        kind = STORED[bits, signed]
        low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
        clip = None
        if bits == 8 and self.opset >= 13 and c.chance(0.35):
            few = c.number(2, 7)
            bits = few
            low, high = (-(2 ** (few - 1)) + 1, 2 ** (few - 1) - 1) if signed else (0, 2**few - 1)
            clip = low, high
        step = np.asarray(scale or self._step(2.5 * x.rms / max(1, high)), np.float32)
        zero = c.number(low, high) if c.chance(0.35) else 0
        parameters = [self.w.constant(step), self.w.typed(zero, kind)]
        q = self.w.op("QuantizeLinear", x.name, *parameters)[0]
        if clip is not None:
            q = self.w.op("Clip", q, *(self.w.typed(v, kind) for v in clip))[0]
        name = self.w.op("DequantizeLinear", q, *parameters)[0]
        return Made(name, x.shape, x.rms, step, True, bits)

    # --- weights ----------------------------------------------------------------------------

    def _weights(self, shape: tuple[int, ...], axis: int) -> str:
        """Quantized weights; some channels may be dead."""
        c = self.choose
        bits = c.weighted({1: 2, 2: 3, 3: 2, 4: 4, 5: 1, 6: 1, 8: 2, 12: 0.2, 16: 0.2})
        bits = c.number(9, 16) if self.deep and c.chance(0.6) else bits
        values = c.rng.normal(size=shape) * 0.6
        if c.chance(0.12):
            dead = [slice(None)] * len(shape)
            dead[axis] = slice(0, c.number(1, shape[axis]))  # type: ignore[call-overload]
            values[tuple(dead)] = 0
        per_channel = c.chance(0.4)
        if self.flavour == "qdq":
            return self._stored_weights(values, axis, per_channel and self.opset >= 13)
        top = max(1, 2 ** (bits - 1) - 1)
        dims = [1] * len(shape)
        if per_channel:
            dims[axis] = shape[axis]
        scale = c.rng.uniform(0.6, 1.4, dims if per_channel else ()) / top
        if self.dyadic:
            scale = 2.0 ** np.round(np.log2(scale))
        w = self.w
        if bits == 1 and c.chance(0.8):
            found = w.op("BipolarQuant", w.constant(values), w.constant(scale), domain=QONNX)
            return found[0]
        mode = "ROUND" if c.chance(0.9) else c.weighted(MODES)
        zero = 0.0
        signed = c.chance(0.93)
        flags = {"signed": int(signed), "narrow": int(c.chance(0.8) and bits > 1)}
        parts = [w.constant(v) for v in (values, scale, zero, bits)]
        return w.op("Quant", *parts, domain=QONNX, rounding_mode=mode, **flags)[0]

    def _stored_weights(self, values: NDArray[np.float64], axis: int, per_channel: bool) -> str:
        c, shape = self.choose, values.shape
        bits = 4 if self.opset >= 21 and c.chance(0.4) else 8
        top = 2 ** (bits - 1) - 1
        count = (shape[axis],) if per_channel else ()
        scale = c.rng.uniform(0.8, 1.4, count) * 1.5 / top
        if self.dyadic:
            scale = 2.0 ** np.round(np.log2(scale))
        scale = scale.astype(np.float32) if per_channel else np.float32(scale)
        dims = [1] * len(shape)
        dims[axis] = -1 if per_channel else 1
        kind = STORED[bits, True]
        q = np.clip(np.rint(values / np.reshape(scale, dims)), -top - c.number(0, 1), top)
        inputs = [self.w.typed(q, kind), self.w.constant(scale)]
        if c.chance(0.6):
            inputs.append(self.w.typed(np.zeros(count, int), kind))
        attributes = {"axis": axis} if per_channel else {}
        return self.w.op("DequantizeLinear", *inputs, **attributes)[0]

    def _bias(self, count: int, rms: float) -> list[str]:
        c = self.choose
        if c.chance(0.65):
            return []
        values = c.rng.normal(size=count) * rms * 0.4
        if self.dyadic:
            values = np.round(values * 8) / 8
        return [self.w.constant(values)]

    # --- tails ------------------------------------------------------------------------------

    def _tail(self, x: Made, scale: float | None = None) -> Made:
        """Elementwise operators and a quantizer."""
        c, y, self.worked = self.choose, x, True
        for _ in range(c.weighted({0: 3, 1: 5, 2: 2})):
            y = self._affine(y)
        if c.chance(0.7):
            y = self._activation(y)
        if c.chance(0.15):
            y = self._affine(y)
        return self._quantized(y, scale)

    def _affine(self, x: Made) -> Made:
        c, w, channels = self.choose, self.w, x.shape[0]
        rank = len(x.shape)
        kinds = {"BatchNormalization": 4, "Mul": 2, "Add": 3, "Div": 1, "Sub": 1}
        kind = c.weighted(kinds)  # type: ignore[arg-type]
        self._use(x)
        if kind == "BatchNormalization":
            return self._normed(x)
        dims = (channels, *(1,) * (rank - 1)) if c.chance(0.6) else ()
        if kind in ("Mul", "Div"):
            operand = c.rng.uniform(0.5, 2, dims) * (c.rng.choice([-1, 1], dims) if dims else 1)
            if kind == "Mul" and c.chance(0.06):
                operand = operand * c.rng.integers(0, 2, dims)
        else:
            operand = c.rng.normal(size=dims) * x.rms * (0.5 if c.chance(0.8) else 3.0)
        if self.dyadic and c.chance(0.7):
            operand = np.round(operand * 4) / 4 + (kind == "Div") * (np.abs(operand) < 0.2)
        if kind == "Div":
            operand = np.where(operand == 0, 1, operand)
        name = w.op(kind, x.name, w.constant(operand))[0]
        return Made(name, x.shape, x.rms, bits=x.bits)

    def _normed(self, x: Made) -> Made:
        c, w, n = self.choose, self.w, x.shape[0]
        gamma = c.rng.uniform(0.7, 1.4, n) * (c.rng.choice([-1, 1], n) if c.chance(0.5) else 1)
        if c.chance(0.12):
            gamma = gamma * c.rng.integers(0, 2, n)
        parts = [
            gamma,
            c.rng.normal(size=n) * 0.3,
            c.rng.normal(size=n) * x.rms * 0.3,
            c.rng.uniform(0.7, 1.4, n) * x.rms**2,
        ]
        operands = [w.constant(p) for p in parts]
        name = w.op("BatchNormalization", x.name, *operands, epsilon=1e-5)[0]
        return Made(name, x.shape, 1.0, bits=x.bits)

    def _activation(self, x: Made) -> Made:
        c, w = self.choose, self.w
        names = {k: v for k, v in ACTIVATIONS.items() if SMALLEST_OPSET.get(k, 0) <= self.opset}
        kind, rms = c.weighted(names), x.rms
        self._use(x)
        alpha = c.real(-0.5, 1.2) if c.chance(0.25) else c.real(0.05, 0.7)
        if kind == "Silu":
            name = w.op("Mul", x.name, w.op("Sigmoid", x.name)[0])[0]
        elif kind == "Square":
            name = w.op("Mul", x.name, x.name)[0]
            rms = rms * rms
        elif kind == "PRelu":
            dims = (x.shape[0], *(1,) * (len(x.shape) - 1))
            slopes = c.rng.uniform(-0.3, 0.6, dims if c.chance(0.8) else (1,) * len(x.shape))
            name = w.op("PRelu", x.name, w.constant(slopes))[0]
        elif kind == "Clip":
            low = c.real(-1, 0.4) * rms if c.chance(0.9) else None
            high = max(low or 0, 0) + c.real(0.5, 2) * rms if c.chance(0.9) else None
            name = w.clip(x.name, low, high)
        elif kind in ("Min", "Max"):
            name = w.op(kind, x.name, w.constant(c.real(-1, 1) * rms))[0]
        elif kind == "Bool":
            name = w.op("Greater", x.name, w.constant(c.real(-1, 1) * rms))[0]
            name = w.op("Cast", name, to=TensorProto.FLOAT)[0]
        elif kind in ("LeakyRelu", "Elu", "ThresholdedRelu", "Celu"):
            alpha = max(alpha, 0.1) if kind == "Celu" else alpha
            name = w.op(kind, x.name, alpha=alpha)[0]
        elif kind == "HardSigmoid":
            name = w.op(kind, x.name, alpha=c.item([0.2, 0.25, 1 / 6]), beta=0.5)[0]
        elif kind == "Exp":
            name = w.op("Exp", w.clip(x.name, None, 2.0))[0]
        else:
            name = w.op(kind, x.name)[0]
        if kind in ("Sigmoid", "HardSigmoid", "Tanh", "Sign", "Softsign", "Erf", "Bool"):
            rms = 0.7
        return Made(name, x.shape, max(rms, 1e-3), bits=x.bits)

    def _finish(self, y: Made) -> bool:
        """A sum usually goes through a tail, and sometimes stays what it is."""
        y = replace(y, scale=None)
        self.made.append(self._tail(y) if self.choose.chance(0.9) else y)
        return True
