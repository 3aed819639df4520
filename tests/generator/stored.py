# SPDX-License-Identifier: Apache-2.0
"""Random graphs of QOperator models: operators on stored integers."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from onnx import TensorProto

from tests.generator.choices import Choices
from tests.generator.writer import MICROSOFT, Output, Writer


@dataclass(frozen=True)
class Stored:
    """A tensor of stored integers: name, shape without the batch, scale, zero point, type."""

    name: str
    shape: tuple[int, ...]
    scale: float
    zero: int
    kind: int

    @property
    def is_image(self) -> bool:
        """There are spatial dimensions."""
        return len(self.shape) > 1


class StoredGraph:
    """Grows a QOperator graph."""

    def __init__(self, choose: Choices) -> None:
        self.choose = c = choose
        self.opset = c.item([11, 13, 15, 17, 19, 20, 21])
        self.w = Writer(self.opset)
        self.kind = c.item([TensorProto.UINT8, TensorProto.INT8])
        self.made: list[Stored] = []
        self.used: set[str] = set()
        self.worked = False
        self.reaches: dict[str, tuple[float, float]] = {}

    # --- parts ------------------------------------------------------------------------------

    def start(self, name: str) -> None:
        """A float input that is quantized, or one of integers."""
        c, w = self.choose, self.w
        shape = tuple(c.number(1, 6) for _ in range(c.item([3, 3, 3, 2, 1])))
        y = self._fresh("", shape, 1 / 64)
        if c.chance(0.7):
            w.input(name, shape)
            self.reaches[name] = (y.scale, y.scale * 200)
            q = w.op("QuantizeLinear", name, *self._parameters(y))[0]
        else:
            q = w.input(name, shape, self.kind)
            self.reaches[name] = (0.0, float(self.kind))
        self.made.append(replace(y, name=q))

    def _fresh(self, name: str, shape: tuple[int, ...], scale: float) -> Stored:
        c = self.choose
        ends = (-128, 127) if self.kind == TensorProto.INT8 else (0, 255)
        middle = 0 if self.kind == TensorProto.INT8 else c.item([0, 128])
        zero = middle if c.chance(0.5) else c.number(*ends)
        scale = 2.0 ** round(math.log2(scale)) if c.chance(0.3) else scale * c.real(0.7, 1.4)
        return Stored(name, shape, float(np.float32(scale)), zero, self.kind)

    def _parameters(self, x: Stored) -> list[str]:
        return [self.w.constant(x.scale), self.w.typed(x.zero, x.kind)]

    def _operand(self, x: Stored) -> list[str]:
        self.used.add(x.name)
        return [x.name, *self._parameters(x)]

    def _take(self, wanted: Callable[[Stored], bool]) -> Stored | None:
        fitting = [m for m in self.made if wanted(m)]
        unused = [m for m in fitting if m.name not in self.used]
        if unused and self.choose.chance(0.75):
            return unused[-1]
        return self.choose.item(fitting) if fitting else None

    def _made(self, name: str, y: Stored) -> bool:
        self.made.append(replace(y, name=name))
        self.worked = True
        return True

    def _weights(self, shape: tuple[int, ...], axis: int) -> tuple[list[str], float]:
        """Weights, scale and zero point; small enough that no processor saturates their sums."""
        c = self.choose
        kind = TensorProto.INT8
        bits = c.item([3, 6])
        q = c.rng.integers(-(2**bits) + 1, 2**bits, shape)
        if c.chance(0.1):
            q[...] = 0
        if c.chance(0.3):
            scale = c.rng.uniform(0.5, 1.5, shape[axis]) * 2.0**-bits
            zero = np.zeros(shape[axis], int)
        else:
            scale, zero = np.asarray(c.real(0.5, 1.5) * 2.0**-bits), np.zeros((), int)
        names = [self.w.typed(q, kind), self.w.constant(scale), self.w.typed(zero, kind)]
        return names, 0.6

    # --- operators --------------------------------------------------------------------------

    def conv(self) -> bool:
        """QLinearConv."""
        x = self._take(lambda m: m.is_image)
        if x is None:
            return False
        c, channels, spatial = self.choose, x.shape[0], x.shape[1:]
        group = channels if channels > 1 and c.chance(0.3) else 1
        outputs = group * c.number(1, 2) if group > 1 else c.number(1, 6)
        stride = [c.number(1, 2) for _ in spatial]
        pads = [c.number(0, 2) if c.chance(0.4) else 0 for _ in spatial * 2]
        rank = len(spatial)
        kernel = [c.number(1, min(3, n + pads[i] + pads[i + rank])) for i, n in enumerate(spatial)]
        weights, _ = self._weights((outputs, channels // group, *kernel), 0)
        fan = channels // group * math.prod(kernel)
        size = tuple(
            (n + pads[i] + pads[i + rank] - kernel[i]) // stride[i] + 1
            for i, n in enumerate(spatial)
        )
        y = self._fresh("", (outputs, *size), x.scale * math.sqrt(fan))
        bias = []
        if c.chance(0.4):
            bias = [self.w.typed(c.rng.integers(-2000, 2000, outputs), TensorProto.INT32)]
        name = self.w.op(
            "QLinearConv",
            *self._operand(x),
            *weights,
            *self._parameters(y),
            *bias,
            kernel_shape=kernel,
            strides=stride,
            pads=pads,
            group=group,
        )[0]
        return self._made(name, y)

    def dense(self) -> bool:
        """QLinearMatMul or QGemm."""
        x = self._take(lambda m: math.prod(m.shape) <= 128)
        if x is None:
            return False
        c, w = self.choose, self.w
        if x.is_image:
            self.used.add(x.name)
            x = replace(x, name=w.op("Flatten", x.name)[0], shape=(math.prod(x.shape),))
        inputs, outputs = x.shape[0], c.number(1, 6)
        y = self._fresh("", (outputs,), x.scale * math.sqrt(inputs))
        weights, _ = self._weights((inputs, outputs), 1)
        if c.chance(0.5):
            name = w.op("QLinearMatMul", *self._operand(x), *weights, *self._parameters(y))[0]
        else:
            bias = w.typed(c.rng.integers(-2000, 2000, outputs), TensorProto.INT32)
            parts = [*self._operand(x), *weights, bias, *self._parameters(y)]
            name = w.op("QGemm", *parts, domain=MICROSOFT)[0]
        return self._made(name, y)

    def pair(self) -> bool:
        """QLinearAdd, QLinearMul."""
        x = self._take(lambda m: True)
        assert x is not None
        y = self._take(lambda m: m.shape == x.shape)
        assert y is not None
        op = self.choose.item(["QLinearAdd", "QLinearAdd", "QLinearMul"])
        scale = x.scale + y.scale if op == "QLinearAdd" else x.scale * y.scale * 60
        z = self._fresh("", x.shape, scale)
        parts = [*self._operand(x), *self._operand(y), *self._parameters(z)]
        return self._made(self.w.op(op, *parts, domain=MICROSOFT)[0], z)

    def function(self) -> bool:
        """QLinearSigmoid, QLinearLeakyRelu."""
        x = self._take(lambda m: True)
        assert x is not None
        op = self.choose.item(["QLinearSigmoid", "QLinearLeakyRelu"])
        y = self._fresh("", x.shape, 1 / 200 if op == "QLinearSigmoid" else x.scale)
        extra = {"alpha": 0.1} if op == "QLinearLeakyRelu" else {}
        parts = [*self._operand(x), *self._parameters(y)]
        return self._made(self.w.op(op, *parts, domain=MICROSOFT, **extra)[0], y)

    def concat(self) -> bool:
        """QLinearConcat along the channels."""
        x = self._take(lambda m: True)
        assert x is not None
        other = self._take(lambda m: m.shape[1:] == x.shape[1:])
        assert other is not None
        y = self._fresh("", (x.shape[0] + other.shape[0], *x.shape[1:]), max(x.scale, other.scale))
        parts = [*self._parameters(y), *self._operand(x), *self._operand(other)]
        return self._made(self.w.op("QLinearConcat", *parts, domain=MICROSOFT, axis=1)[0], y)

    def average(self) -> bool:
        """QLinearAveragePool, QLinearGlobalAveragePool."""
        x = self._take(lambda m: len(m.shape) == 3)
        if x is None:
            return False
        c = self.choose
        if c.chance(0.4):
            y = self._fresh("", (x.shape[0], 1, 1), x.scale * 0.5)
            parts = [*self._operand(x), *self._parameters(y)]
            name = self.w.op("QLinearGlobalAveragePool", *parts, domain=MICROSOFT)[0]
            return self._made(name, y)
        kernel = [c.number(1, min(3, n)) for n in x.shape[1:]]
        size = tuple((n - k) // k + 1 for n, k in zip(x.shape[1:], kernel, strict=True))
        y = self._fresh("", (x.shape[0], *size), x.scale)
        parts = [*self._operand(x), *self._parameters(y)]
        name = self.w.op(
            "QLinearAveragePool", *parts, domain=MICROSOFT, kernel_shape=kernel, strides=kernel
        )[0]
        return self._made(name, y)

    def moved(self) -> bool:
        """MaxPool, Transpose, Reshape on integers."""
        x = self._take(lambda m: m.is_image)
        if x is None:
            return False
        c, w = self.choose, self.w
        self.used.add(x.name)
        kind = c.item(["MaxPool", "Transpose", "Flatten"])
        if kind == "MaxPool" and self.opset >= 12:
            kernel = [c.number(1, min(3, n)) for n in x.shape[1:]]
            size = tuple((n - k) // k + 1 for n, k in zip(x.shape[1:], kernel, strict=True))
            name = w.op("MaxPool", x.name, kernel_shape=kernel, strides=kernel)[0]
            y = replace(x, name=name, shape=(x.shape[0], *size))
        elif kind == "Transpose":
            order = [int(i) for i in c.rng.permutation(len(x.shape))]
            name = w.op("Transpose", x.name, perm=[0, *(i + 1 for i in order)])[0]
            y = replace(x, name=name, shape=tuple(x.shape[i] for i in order))
        else:
            y = replace(x, name=w.op("Flatten", x.name)[0], shape=(math.prod(x.shape),))
        self.made.append(y)
        return True

    def finish(self) -> list[Output]:
        """Outputs: integers, or floats after DequantizeLinear."""
        outputs: list[Output] = []
        for y in self.made:
            if y.name in self.used:
                continue
            if self.choose.chance(0.5):
                outputs.append((y.name, y.shape, y.kind))
            else:
                name = self.w.op("DequantizeLinear", y.name, *self._parameters(y))[0]
                outputs.append((name, y.shape, TensorProto.FLOAT))
        return outputs


OPERATORS: dict[Callable[[StoredGraph], bool], float] = {
    StoredGraph.conv: 8,
    StoredGraph.dense: 4,
    StoredGraph.pair: 3,
    StoredGraph.function: 2,
    StoredGraph.concat: 2,
    StoredGraph.average: 2,
    StoredGraph.moved: 2,
}
