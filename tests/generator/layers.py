# SPDX-License-Identifier: Apache-2.0
"""Operators that sum or choose within one tensor: layers and pools."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from tests.generator.choices import Choices
from tests.generator.growing import LARGEST, Growing, Made
from tests.generator.writer import QONNX


class Layers(Growing):
    """Grows layers and pools."""

    def conv(self) -> bool:
        """Conv of any geometry that fits."""
        x = self._take(lambda m: m.is_image and (m.scale is not None or self.wild))
        if x is None:
            return False
        c, channels, spatial = self.choose, x.shape[0], x.shape[1:]
        group, outputs = 1, c.number(1, LARGEST)
        if channels > 1 and (not x.per_tensor or c.chance(0.35)):
            group = channels if not x.per_tensor or c.chance(0.6) else _divisor(c, channels)
            outputs = group * (c.number(1, 2) if c.chance(0.5) else 1)
        elif not self.allowed(x.per_tensor):
            return False
        stride = [c.weighted({1: 6, 2: 3, 3: 1}) for _ in spatial]
        dilation = [c.weighted({1: 8, 2: 2}) for _ in spatial]
        padded = self.allowed(x.centred) and c.chance(0.5)
        before, after = ([c.number(0, 2) if padded else 0 for _ in spatial] for _ in range(2))
        kernel = []
        for i, size in enumerate(spatial):
            most = (size + before[i] + after[i] - 1) // dilation[i] + 1
            kernel.append(c.number(1, min(4, most)))
        weights = self._weights((outputs, channels // group, *kernel), 0)
        fan = channels // group * math.prod(kernel)
        rms = x.rms * 0.7 * math.sqrt(fan)
        attributes = {"kernel_shape": kernel, "strides": stride, "group": group}
        if any(d > 1 for d in dilation) or c.chance(0.5):
            attributes["dilations"] = dilation
        same = padded and c.chance(0.2) and set(dilation) == {1}
        if same:
            attributes["auto_pad"] = c.item(["SAME_UPPER", "SAME_LOWER"])  # type: ignore[assignment]
            size = [-(-n // s) for n, s in zip(spatial, stride, strict=True)]
        else:
            attributes["pads"] = [*before, *after]
            size = [
                (n + b + a - d * (k - 1) - 1) // s + 1
                for n, b, a, d, k, s in zip(
                    spatial, before, after, dilation, kernel, stride, strict=True
                )
            ]
        bias = self._bias(outputs, rms)
        name = self.w.op("Conv", x.name, weights, *bias, **attributes)[0]
        self._use(x)
        return self._finish(Made(name, (outputs, *size), rms, bits=x.bits + 8))

    def conv_transpose(self) -> bool:
        """ConvTranspose, stride up to 3."""
        x = self._take(
            lambda m: m.is_image and m.per_tensor and (m.centred or self.wild) and m.bits > 1
        )
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
        weights = self._weights((x.shape[0], outputs, *kernel), 1)
        rms = x.rms * math.sqrt(x.shape[0] * math.prod(kernel) / math.prod(stride))
        name = self.w.op(
            "ConvTranspose",
            x.name,
            weights,
            *self._bias(outputs, rms),
            kernel_shape=kernel,
            strides=stride,
            pads=pads,
            output_padding=extra,
        )[0]
        self._use(x)
        return self._finish(Made(name, (outputs, *size), rms, bits=x.bits + 8))

    def linear(self) -> bool:
        """MatMul or Gemm, after a Flatten if need be."""
        x = self._take(lambda m: (m.per_tensor or self.wild) and math.prod(m.shape) <= 128)
        if x is None:
            return False
        c, w = self.choose, self.w
        self._use(x)
        if x.is_image and (len(x.shape) > 2 or c.chance(0.7)):
            x = replace(x, name=w.op("Flatten", x.name, axis=1)[0], shape=(math.prod(x.shape),))
        inputs, outputs = x.shape[-1], c.number(1, LARGEST)
        rms = x.rms * 0.7 * math.sqrt(inputs)
        shape = (*x.shape[:-1], outputs)
        turned = not x.is_image and c.chance(0.4)
        weights = self._weights((outputs, inputs) if turned else (inputs, outputs), 1 - turned)
        bias = self._bias(outputs, rms)
        if turned or (bias and not x.is_image):
            attributes: dict[str, object] = {"transB": int(turned)}
            if c.chance(0.15):
                attributes |= {"alpha": c.item([0.5, 2.0, 0.7]), "beta": c.item([1.0, 0.5])}
            bias = bias or [w.constant([0.0] * outputs)]
            name = w.op("Gemm", x.name, weights, *bias, **attributes)[0]
        else:
            name = w.op("MatMul", x.name, weights)[0]
            name = w.op("Add", name, *bias)[0] if bias else name
        return self._finish(Made(name, shape, rms, bits=x.bits + 8))

    def pool(self) -> bool:
        """MaxPool or AveragePool."""
        x = self._take(lambda m: m.is_image)
        if x is None:
            return False
        c, spatial = self.choose, x.shape[1:]
        kernel = [c.number(1, min(4, n)) for n in spatial]
        stride = [c.number(1, max(1, k)) for k in kernel]
        maximum = c.chance(0.6)
        allowed = maximum or self.allowed(x.centred)
        pads = [c.number(0, k - 1) if allowed and c.chance(0.3) else 0 for k in kernel * 2]
        ceil = int(c.chance(0.2) and self.allowed(maximum) and self.opset >= 10)
        size = _pooled(spatial, kernel, stride, pads, ceil)
        extra: dict[str, object] = {"ceil_mode": ceil} if ceil else {}
        if not maximum:
            extra["count_include_pad"] = int(not self.wild or c.chance(0.6))
        name = self.w.op(
            "MaxPool" if maximum else "AveragePool",
            x.name,
            outputs=1 + (maximum and c.chance(0.08)),
            kernel_shape=kernel,
            strides=stride,
            pads=pads,
            **extra,
        )[0]
        self._use(x)
        y = replace(x, name=name, shape=(x.shape[0], *size))
        if maximum:
            self.made.append(y)
            return True
        return self._finish(y)

    def whole(self) -> bool:
        """A pool over the whole image."""
        x = self._take(lambda m: m.is_image)
        if x is None:
            return False
        c, w, rank = self.choose, self.w, len(x.shape)
        kind = c.item(["GlobalAveragePool", "GlobalMaxPool", "ReduceMean", "ReduceSum"])
        self._use(x)
        ones = (x.shape[0], *(1,) * (rank - 1))
        if kind.startswith("Reduce"):
            keep = int(c.chance(0.5))
            name = w.reduce(kind, x.name, range(2, rank + 1), keep)
            return self._finish(replace(x, name=name, shape=ones if keep else x.shape[:1]))
        y = replace(x, name=w.op(kind, x.name)[0], shape=ones)
        if kind == "GlobalMaxPool":
            self.made.append(y)
            return True
        return self._finish(y)

    def tail(self) -> bool:
        """Elementwise operators and a quantizer on whatever there is."""
        x = self._take(lambda m: True)
        assert x is not None
        self.made.append(self._tail(x))
        return True

    def bounded(self) -> bool:
        """Relu or Clip of quantized values, without a quantizer after it."""
        x = self._take(lambda m: m.per_tensor and m.bits > 1 and m.centred)
        if x is None or x.scale is None:
            return False
        c, step = self.choose, float(x.scale.item())
        self._use(x)
        if c.chance(0.5):
            name = self.w.op("Relu", x.name)[0]
        else:
            low = c.number(-2, 2)
            name = self.w.clip(x.name, low * step, (low + c.number(1, 6)) * step)
        self.made.append(replace(x, name=name))
        return True

    def trunc(self) -> bool:
        """Trunc of what is quantized already; both versions."""
        x = self._take(lambda m: m.per_tensor and 2 < m.bits <= 8)
        if x is None or x.scale is None or self.flavour != "qonnx":
            return False
        c, w, step = self.choose, self.w, float(x.scale.item())
        self._use(x)
        mode = c.item(["FLOOR", "ROUND", "CEIL", "ROUND_TO_ZERO", "HALF_UP"])
        less = c.number(1, 2)
        bits = x.bits - less
        numbers: list[float] = [step, 0.0, x.bits]
        attributes: dict[str, object] = {"rounding_mode": mode}
        if w.second:
            numbers.append(step * 2**less)
            attributes |= {"signed": int(c.chance(0.6)), "narrow": int(c.chance(0.3))}
        parts = [w.constant(v) for v in (*numbers, bits)]
        name = w.op("Trunc", x.name, *parts, domain=QONNX, **attributes)[0]
        after = step * 2**less if len(numbers) == 4 else step
        self.made.append(Made(name, x.shape, x.rms, np.asarray(after, np.float32), True, bits))
        self.worked = True
        return True


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
