# SPDX-License-Identifier: Apache-2.0
"""Random quantized graphs: branches, joins, all supported operators, odd shapes and widths.

A graph grows operator by operator: each takes tensors that are there already and gives new ones;
what nobody took in the end is an output. Of a tensor the generator knows what an operator may
assume: its shape, and the scale of its quantizer if it comes from one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import onnx

from benchmarks.qonnx_graph import Tensor
from tests.support.choices import Choices
from tests.support.growing import LARGEST, Growing, Made


class RandomGraph(Growing):
    """Grows a graph."""

    def build(self) -> onnx.ModelProto:
        """The whole model."""
        c = self.choose
        for number in range(1 if c.chance(0.8) else 2):
            self._input(f"x{number}")
        for _ in range(c.number(1, 8)):
            self._grow()
        if not self.worked:
            self.tail()
        ends = [m for m in self.made if m.tensor.name not in self.used]
        return self.g.model(*[m.tensor for m in ends], opset=self.opset)

    def _grow(self) -> None:
        for _ in range(10):
            operator = self.choose.weighted(OPERATORS)
            if operator(self):
                return

    # --- operators --------------------------------------------------------------------------

    def conv(self) -> bool:
        """Conv of any geometry that fits."""
        x = self._take(lambda m: m.is_image and m.scale is not None)
        if x is None:
            return False
        c, channels, spatial = self.choose, x.shape[0], x.shape[1:]
        group, outputs = 1, c.number(1, LARGEST)
        if channels > 1 and (not x.per_tensor or c.chance(0.35)):
            group = channels if not x.per_tensor or c.chance(0.6) else _divisor(c, channels)
            outputs = group * (c.number(1, 2) if c.chance(0.5) else 1)
        elif not x.per_tensor:
            return False
        stride = [c.weighted({1: 6, 2: 3, 3: 1}) for _ in spatial]
        dilation = [c.weighted({1: 8, 2: 2}) for _ in spatial]
        padded = x.centred and c.chance(0.5)
        before, after = ([c.number(0, 2) if padded else 0 for _ in spatial] for _ in range(2))
        kernel = []
        for i, size in enumerate(spatial):
            most = (size + before[i] + after[i] - 1) // dilation[i] + 1
            kernel.append(c.number(1, min(4, most)))
        weights, extra = self._weights((outputs, channels // group, *kernel), 0)
        name = self.g.op(
            "Conv",
            [x.tensor.name, weights, *extra],
            kernel_shape=kernel,
            strides=stride,
            pads=[*before, *after],
            dilations=dilation,
            group=group,
        )[0]
        self._use(x)
        size = [
            (n + b + a - d * (k - 1) - 1) // s + 1
            for n, b, a, d, k, s in zip(
                spatial, before, after, dilation, kernel, stride, strict=True
            )
        ]
        fan = channels // group * math.prod(kernel)
        rms = x.tensor.rms * 0.7 * math.sqrt(fan)
        return self._finish(Made(Tensor(name, (outputs, *size), rms), None, bits=x.bits + 8))

    def conv_transpose(self) -> bool:
        """ConvTranspose, stride up to 3."""
        x = self._take(lambda m: m.is_image and m.per_tensor and m.centred and m.bits > 1)
        if x is None or max(x.shape[1:]) > 5:
            return False
        c, spatial, outputs = self.choose, x.shape[1:], self.choose.number(1, 4)
        kernel = [c.number(1, 4) for _ in spatial]
        stride = [c.number(1, 3) for _ in spatial]
        pads = [c.number(0, k - 1) if c.chance(0.4) else 0 for k in kernel * 2]
        extra = [c.number(0, s - 1) if c.chance(0.3) else 0 for s in stride]
        rank = len(spatial)
        size = [
            (n - 1) * s + k + e - pads[i] - pads[i + rank]
            for i, (n, s, k, e) in enumerate(zip(spatial, stride, kernel, extra, strict=True))
        ]
        if min(size) < 1:
            return False
        weights, bias = self._weights((x.shape[0], outputs, *kernel), 1)
        name = self.g.op(
            "ConvTranspose",
            [x.tensor.name, weights, *bias],
            kernel_shape=kernel,
            strides=stride,
            pads=pads,
            output_padding=extra,
        )[0]
        self._use(x)
        rms = x.tensor.rms * math.sqrt(x.shape[0] * math.prod(kernel) / math.prod(stride))
        return self._finish(Made(Tensor(name, (outputs, *size), rms), None, bits=x.bits + 8))

    def _weights(self, shape: tuple[int, ...], axis: int) -> tuple[str, list[str]]:
        """Quantized weights, and a bias as a further operand or none."""
        c = self.choose
        bits = c.weighted({1: 2, 2: 2, 3: 1, 4: 3, 6: 1, 8: 1})
        name = self.g.weights(shape, bits, per_channel=c.chance(0.4), axis=axis)
        bias = [self.g.constant(c.rng.normal(size=shape[axis]) * 0.3)] if c.chance(0.3) else []
        return name, bias

    def linear(self) -> bool:
        """MatMul or Gemm, behind a Flatten if need be."""
        x = self._take(lambda m: m.per_tensor and math.prod(m.shape) <= 128)
        if x is None:
            return False
        if x.is_image:
            x = self.op(x, "Flatten", shape=(math.prod(x.shape),), axis=1)
        inputs, outputs = x.shape[0], self.choose.number(1, LARGEST)
        weights, bias = self._weights((inputs, outputs), 1)
        if bias:
            name = self.g.op("Gemm", [x.tensor.name, weights, *bias])[0]
        else:
            name = self.g.op("MatMul", [x.tensor.name, weights])[0]
        self._use(x)
        rms = x.tensor.rms * 0.7 * math.sqrt(inputs)
        return self._finish(Made(Tensor(name, (outputs,), rms), None, bits=x.bits + 8))

    def pool(self) -> bool:
        """MaxPool or AveragePool."""
        x = self._take(lambda m: m.is_image)
        if x is None:
            return False
        c, spatial = self.choose, x.shape[1:]
        kernel = [c.number(1, min(4, n)) for n in spatial]
        stride = [c.number(1, max(1, k)) for k in kernel]
        maximum = c.chance(0.6)
        allowed = maximum or x.centred
        pads = [c.number(0, k - 1) if allowed and c.chance(0.3) else 0 for k in kernel * 2]
        ceil = int(maximum and c.chance(0.2))
        size = _pooled(spatial, kernel, stride, pads, ceil)
        extra: dict[str, object] = {"ceil_mode": ceil} if maximum else {"count_include_pad": 1}
        y = self.op(
            x,
            "MaxPool" if maximum else "AveragePool",
            shape=(x.shape[0], *size),
            kernel_shape=kernel,
            strides=stride,
            pads=pads,
            **extra,
        )
        if maximum:
            self._keep(y)
            return True
        return self._finish(replace(y, scale=None))

    def whole(self) -> bool:
        """A pool over the whole image."""
        x = self._take(lambda m: m.is_image)
        if x is None:
            return False
        c = self.choose
        kind = c.item(["GlobalAveragePool", "GlobalMaxPool", "ReduceMean"])
        if kind == "ReduceMean":
            axes = list(range(2, len(x.shape) + 1))
            keep = int(c.chance(0.5))
            shape = (x.shape[0], *(1,) * (len(x.shape) - 1)) if keep else x.shape[:1]
            if self.opset >= 18:
                operand = self.g.constant(axes, np.int64)
                y = self.op(x, kind, operand, shape=shape, keepdims=keep)
            else:
                y = self.op(x, kind, shape=shape, axes=axes, keepdims=keep)
        else:
            y = self.op(x, kind, shape=(x.shape[0], *(1,) * (len(x.shape) - 1)))
        if kind == "GlobalMaxPool":
            self._keep(y)
            return True
        return self._finish(replace(y, scale=None))

    def tail(self) -> bool:
        """Elementwise operators and a quantizer on whatever there is."""
        x = self._take(lambda m: True)
        assert x is not None
        self._keep(self._tail(x))
        return True

    def residual(self) -> bool:
        """Add or Sub of a tensor and what another branch makes of it or of one like it."""
        x = self._take(lambda m: m.per_tensor and m.bits < 12)
        if x is None or x.scale is None:
            return False
        c = self.choose
        other = self._take(lambda m: m.shape == x.shape)
        assert other is not None
        ratio = c.item([1.0, 1.0, 2.0, 0.5, 3.0, 1.5])
        y = self._tail(other, float(np.float32(x.scale.item() * ratio)))
        self._use(x, y)
        pair = [x.tensor.name, y.tensor.name]
        if c.chance(0.5):
            pair.reverse()
        name = self.g.op(c.weighted({"Add": 3, "Sub": 1}), pair)[0]
        rms = math.hypot(x.tensor.rms, y.tensor.rms)
        return self._finish(Made(Tensor(name, x.shape, rms), None))

    def gate(self) -> bool:
        """Mul of two tensors."""
        x = self._take(lambda m: m.scale is not None and m.centred and m.bits <= 8)
        if x is None:
            return False
        y = self._take(lambda m: m.shape == x.shape and m.scale is not None and m.centred)
        if y is None:
            return False
        self._use(x, y)
        name = self.g.op("Mul", [x.tensor.name, y.tensor.name])[0]
        rms = x.tensor.rms * y.tensor.rms
        return self._finish(Made(Tensor(name, x.shape, rms), None))

    def concat(self) -> bool:
        """Concat along any axis that fits."""
        c = self.choose
        x = self._take(lambda m: True)
        assert x is not None
        axis = 0 if c.chance(0.7) else c.number(0, len(x.shape) - 1)

        def fits(m: Made) -> bool:
            return len(m.shape) == len(x.shape) and all(
                a == b for i, (a, b) in enumerate(zip(m.shape, x.shape, strict=True)) if i != axis
            )

        if axis and not x.per_tensor:
            return False
        parts = [x]
        for _ in range(c.number(1, 2)):
            other = self._take(lambda m: fits(m) and (not axis or _same_scale(m, x)))
            if other is not None:
                parts.append(other)
        self._use(*parts)
        name = self.g.op("Concat", [p.tensor.name for p in parts], axis=axis + 1)[0]
        shape = list(x.shape)
        shape[axis] = sum(p.shape[axis] for p in parts)
        same = all(_same_scale(p, x) for p in parts)
        y = Made(
            Tensor(name, tuple(shape), x.tensor.rms),
            x.scale if same else None,
            same and all(p.centred for p in parts),
            max(p.bits for p in parts),
        )
        self._keep(y if same and c.chance(0.5) else self._tail(y))
        return True

    def split(self) -> bool:
        """Split in two."""
        x = self._take(lambda m: m.per_tensor and max(m.shape) > 1)
        if x is None:
            return False
        c = self.choose
        axis = c.item([i for i, n in enumerate(x.shape) if n > 1])
        first = c.number(1, x.shape[axis] - 1)
        sizes = [first, x.shape[axis] - first]
        names = self.g.op(
            "Split",
            [x.tensor.name, self.g.constant(sizes, np.int64)],
            outputs=2,
            axis=axis + 1,
        )
        self._use(x)
        for name, size in zip(names, sizes, strict=True):
            shape = (*x.shape[:axis], size, *x.shape[axis + 1 :])
            self._keep(replace(x, tensor=Tensor(name, shape, x.tensor.rms)))
        return True

    def cut(self) -> bool:
        """Slice along one axis."""
        x = self._take(lambda m: m.per_tensor and max(m.shape) > 1)
        if x is None:
            return False
        c = self.choose
        axis = c.item([i for i, n in enumerate(x.shape) if n > 1])
        size = x.shape[axis]
        start = c.number(0, size - 1)
        end = c.number(start + 1, size)
        numbers = [start, end if c.chance(0.8) else end - size if end < size else 9999, axis + 1]
        operands = [self.g.constant([n], np.int64) for n in numbers]
        shape = (*x.shape[:axis], end - start, *x.shape[axis + 1 :])
        self._keep(self.op(x, "Slice", *operands, shape=shape))
        return True

    def resize(self) -> bool:
        """Nearest Resize by whole factors."""
        x = self._take(lambda m: m.is_image and max(m.shape[1:]) <= 4)
        if x is None:
            return False
        c = self.choose
        factors = [c.number(1, 3) for _ in x.shape[1:]]
        scales = self.g.constant([1, 1, *factors])
        how = c.item([("asymmetric", "floor"), ("half_pixel", "round_prefer_floor")])
        name = self.g.op(
            "Resize",
            [x.tensor.name, "", scales],
            mode="nearest",
            coordinate_transformation_mode=how[0],
            nearest_mode=how[1],
        )[0]
        self._use(x)
        shape = (x.shape[0], *(n * f for n, f in zip(x.shape[1:], factors, strict=True)))
        self._keep(replace(x, tensor=Tensor(name, shape, x.tensor.rms)))
        return True

    def shuffle(self) -> bool:
        """DepthToSpace or SpaceToDepth."""
        c, size = self.choose, self.choose.number(2, 3)
        if c.chance(0.5):
            x = self._take(
                lambda m: len(m.shape) == 3 and m.per_tensor and m.shape[0] % size**2 == 0
            )
            if x is None:
                return False
            d, h, w = x.shape
            mode = c.item(["DCR", "CRD"])
            shape = (d // size**2, h * size, w * size)
            self._keep(self.op(x, "DepthToSpace", shape=shape, blocksize=size, mode=mode))
            return True
        x = self._take(
            lambda m: (
                len(m.shape) == 3
                and m.per_tensor
                and m.shape[1] % size == 0
                and m.shape[2] % size == 0
            )
        )
        if x is None:
            return False
        d, h, w = x.shape
        shape = (d * size**2, h // size, w // size)
        self._keep(self.op(x, "SpaceToDepth", shape=shape, blocksize=size))
        return True

    def border(self) -> bool:
        """Pad with zeros."""
        x = self._take(lambda m: m.is_image and m.per_tensor and m.centred and m.bits > 1)
        if x is None:
            return False
        c = self.choose
        sides = [[c.number(0, 2) for _ in x.shape[1:]] for _ in range(2)]
        pads = self.g.constant([0, 0, *sides[0], 0, 0, *sides[1]], np.int64)
        shape = (x.shape[0], *(sum(s) for s in zip(x.shape[1:], *sides, strict=True)))
        self._keep(self.op(x, "Pad", pads, shape=shape))
        return True

    def layout(self) -> bool:
        """Flatten, Transpose of the image, or Reshape of the image to one dimension."""
        x = self._take(lambda m: m.is_image and m.per_tensor)
        if x is None:
            return False
        kind = self.choose.item(["Flatten", "Transpose", "Reshape"])
        if kind == "Flatten":
            y = self.op(x, kind, shape=(math.prod(x.shape),), axis=1)
        elif kind == "Transpose":
            order = list(self.choose.rng.permutation(len(x.shape)))
            shape = tuple(x.shape[i] for i in order)
            y = self.op(x, kind, shape=shape, perm=[0, *(int(i) + 1 for i in order)])
        else:
            shape = (x.shape[0], math.prod(x.shape[1:]))
            y = self.op(x, kind, self.g.constant([1, *shape], np.int64), shape=shape)
        self._keep(y)
        return True


def _same_scale(one: Made, other: Made) -> bool:
    return one.per_tensor and other.per_tensor and one.scale == other.scale


def _divisor(c: Choices, number: int) -> int:
    return c.item([d for d in range(1, number + 1) if number % d == 0])


def _pooled(
    spatial: tuple[int, ...], kernel: list[int], stride: list[int], pads: list[int], ceil: int
) -> list[int]:
    rank, sizes = len(spatial), []
    for i, (n, k, s) in enumerate(zip(spatial, kernel, stride, strict=True)):
        room = n + pads[i] + pads[i + rank] - k
        size = (-(-room // s) if ceil else room // s) + 1
        if ceil and (size - 1) * s >= n + pads[i]:
            size -= 1
        sizes.append(size)
    return sizes


OPERATORS: dict[Callable[[RandomGraph], bool], float] = {
    RandomGraph.conv: 12,
    RandomGraph.conv_transpose: 2,
    RandomGraph.linear: 3,
    RandomGraph.pool: 4,
    RandomGraph.whole: 1,
    RandomGraph.tail: 2,
    RandomGraph.residual: 5,
    RandomGraph.gate: 2,
    RandomGraph.concat: 4,
    RandomGraph.split: 2,
    RandomGraph.cut: 2,
    RandomGraph.resize: 2,
    RandomGraph.shuffle: 2,
    RandomGraph.border: 1,
    RandomGraph.layout: 2,
}


def random_graph(seed: int) -> onnx.ModelProto:
    """The graph of a seed."""
    return RandomGraph(seed).build()
