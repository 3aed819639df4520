# SPDX-License-Identifier: Apache-2.0
"""Operators that join tensors, take them apart, or move their elements."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from tests.generator.growing import Growing, Made


class Joints(Growing):
    """Grows joints, cuts and layouts."""

    def residual(self) -> bool:
        """Add or Sub of a tensor and what another branch makes of it or of one like it."""
        x = self._take(lambda m: m.per_tensor and m.bits < 12)
        if x is None or x.scale is None:
            return False
        c = self.choose
        other = self._take(lambda m: m.shape == x.shape)
        assert other is not None
        ratio = c.item([1.0, 1.0, 2.0, 0.5, 3.0, 1.5, 0.7 if self.wild else 1.0])
        y = self._tail(other, float(np.float32(x.scale.item() * ratio)))
        self._use(x, y)
        pair = [x.name, y.name]
        if c.chance(0.5):
            pair.reverse()
        name = self.w.op(c.item(["Add", "Add", "Add", "Sub"]), *pair)[0]
        return self._finish(Made(name, x.shape, math.hypot(x.rms, y.rms)))

    def gate(self) -> bool:
        """Mul of two tensors."""
        x = self._take(lambda m: m.scale is not None and m.centred and m.bits <= 8)
        if x is None:
            return False
        y = self._take(lambda m: m.shape == x.shape and m.scale is not None and m.centred)
        if y is None:
            return False
        self._use(x, y)
        name = self.w.op("Mul", x.name, y.name)[0]
        return self._finish(Made(name, x.shape, x.rms * y.rms))

    def product(self) -> bool:
        """MatMul of two tensors, the second of which may be transposed."""
        c = self.choose

        def fits(m: Made) -> bool:
            zero = self.allowed(m.centred)
            return m.is_image and m.scale is not None and (m.per_tensor or self.wild) and zero

        x = self._take(lambda m: fits(m) and m.bits <= 8)
        if x is None:
            return False
        outer, k = x.shape[:-2], x.shape[-1]
        y = self._take(lambda m: fits(m) and m.shape[:-2] == outer and k in m.shape[-2:])
        if y is None or y.bits > 12:
            return False
        shape, name = y.shape, y.name
        if shape[-2] != k or (shape[-1] == k and c.chance(0.5)):
            rank = len(shape) + 1
            name = self.w.op("Transpose", name, perm=[*range(rank - 2), rank - 1, rank - 2])[0]
            shape = (*outer, shape[-1], shape[-2])
        self._use(x, y)
        name = self.w.op("MatMul", x.name, name)[0]
        rms = x.rms * y.rms * math.sqrt(k)
        return self._finish(Made(name, (*x.shape[:-1], shape[-1]), rms, bits=x.bits + y.bits + 3))

    def softmax(self) -> bool:
        """Softmax over the last axis, between quantizers."""
        c = self.choose
        x = self._take(lambda m: m.per_tensor and m.bits <= 8 and m.shape[-1] > 1)
        if x is None:
            return False
        self._use(x)
        name = self.w.op("Softmax", x.name, axis=len(x.shape))[0]
        step = c.item([1 / 255, 1 / 15, 1 / 16, 0.25, 0.03])
        y = Made(name, x.shape, 1 / math.sqrt(x.shape[-1]))
        self.made.append(self._quantized(y, float(np.float32(step))))
        self.worked = True
        return True

    def concat(self) -> bool:
        """Concat along any axis that fits."""
        c = self.choose
        x = self._take(lambda m: True)
        assert x is not None
        axis = 0 if c.chance(0.6) else c.number(0, len(x.shape) - 1)

        def fits(m: Made) -> bool:
            return len(m.shape) == len(x.shape) and all(
                a == b for i, (a, b) in enumerate(zip(m.shape, x.shape, strict=True)) if i != axis
            )

        if not self.allowed(not axis or x.per_tensor):
            return False
        parts = [x]
        for _ in range(c.number(1, 2)):
            near = self._take(lambda m: fits(m) and (not axis or _same_scale(m, x) or self.wild))
            if axis and x.scale is not None and x.scale.size == 1 and c.chance(0.5):
                loose = self._take(fits)
                near = None if loose is None else self._tail(loose, float(x.scale.item()))
            if near is not None:
                parts.append(near)
        self._use(*parts)
        name = self.w.op("Concat", *[p.name for p in parts], axis=axis + 1)[0]
        shape = list(x.shape)
        shape[axis] = sum(p.shape[axis] for p in parts)
        same = all(_same_scale(p, x) for p in parts)
        y = Made(
            name,
            tuple(shape),
            x.rms,
            x.scale if same else None,
            same and all(p.centred for p in parts),
            max(p.bits for p in parts),
        )
        self.made.append(y if same and c.chance(0.5) else self._tail(y))
        return True

    def split(self) -> bool:
        """Split in two or three."""
        x = self._take(lambda m: (m.per_tensor or self.wild) and max(m.shape) > 1)
        if x is None:
            return False
        c = self.choose
        axis = c.item([i for i, n in enumerate(x.shape) if n > 1])
        axis = 0 if x.shape[0] > 1 and c.chance(0.5) else axis
        first = c.number(1, x.shape[axis] - 1)
        sizes = [first, x.shape[axis] - first]
        if sizes[1] > 1 and c.chance(0.3):
            sizes = [first, 1, sizes[1] - 1]
        names = self.w.split(x.name, sizes, axis + 1)
        self._use(x)
        for name, size in zip(names, sizes, strict=True):
            shape = (*x.shape[:axis], size, *x.shape[axis + 1 :])
            self.made.append(replace(x, name=name, shape=shape))
        return True

    def cut(self) -> bool:
        """Slice along one axis."""
        x = self._take(lambda m: (m.per_tensor or self.wild) and max(m.shape) > 1)
        if x is None:
            return False
        c = self.choose
        axis = c.item([i for i, n in enumerate(x.shape) if n > 1])
        axis = 0 if x.shape[0] > 1 and c.chance(0.5) else axis
        size = x.shape[axis]
        start = c.number(0, size - 1)
        end = c.number(start + 1, size)
        stop = end if c.chance(0.8) else end - size if end < size else 9999
        name = self.w.cut(x.name, start, stop, axis + 1)
        shape = (*x.shape[:axis], end - start, *x.shape[axis + 1 :])
        self._use(x)
        self.made.append(replace(x, name=name, shape=shape))
        return True

    def resize(self) -> bool:
        """Nearest Resize by whole factors."""
        x = self._take(lambda m: m.is_image and max(m.shape[1:]) <= 4)
        if x is None:
            return False
        c = self.choose
        factors = [c.number(1, 3) for _ in x.shape[1:]]
        how = c.item([("asymmetric", "floor"), ("half_pixel", "round_prefer_floor")])
        name = self.w.resize(x.name, factors, how)
        self._use(x)
        shape = (x.shape[0], *(n * f for n, f in zip(x.shape[1:], factors, strict=True)))
        self.made.append(replace(x, name=name, shape=shape))
        return True

    def shuffle(self) -> bool:
        """DepthToSpace or SpaceToDepth."""
        c, size = self.choose, self.choose.number(2, 3)
        self_ok = self.wild
        deep = c.chance(0.5)

        def fits(m: Made) -> bool:
            if len(m.shape) != 3 or not (m.per_tensor or self_ok):
                return False
            whole = m.shape[1] % size == 0 and m.shape[2] % size == 0
            return m.shape[0] % size**2 == 0 if deep else whole

        x = self._take(fits)
        if x is None:
            return False
        d, h, w = x.shape
        self._use(x)
        if deep:
            modes = {"mode": c.item(["DCR", "CRD"])} if self.opset >= 11 else {}
            name = self.w.op("DepthToSpace", x.name, blocksize=size, **modes)[0]
            self.made.append(replace(x, name=name, shape=(d // size**2, h * size, w * size)))
        else:
            name = self.w.op("SpaceToDepth", x.name, blocksize=size)[0]
            self.made.append(replace(x, name=name, shape=(d * size**2, h // size, w // size)))
        return True

    def border(self) -> bool:
        """Pad with zeros."""
        x = self._take(lambda m: m.is_image and m.per_tensor and (m.centred or self.wild))
        if x is None or (x.bits == 1 and not self.wild):
            return False
        c = self.choose
        sides = [[c.number(0, 2) for _ in x.shape[1:]] for _ in range(2)]
        value = 0.0
        if c.chance(0.15) and x.scale is not None:
            value = float(np.float32(x.scale.item() * c.number(-1, 2)))
        name = self.w.pad(x.name, [0, 0, *sides[0], 0, 0, *sides[1]], value)
        shape = (x.shape[0], *(sum(s) for s in zip(x.shape[1:], *sides, strict=True)))
        self._use(x)
        self.made.append(replace(x, name=name, shape=shape))
        return True

    def layout(self) -> bool:
        """Flatten, Transpose, Reshape, Squeeze or Unsqueeze."""
        x = self._take(lambda m: m.is_image and (m.per_tensor or self.wild))
        if x is None:
            return False
        c, w, shape = self.choose, self.w, x.shape
        kind = c.item(["Flatten", "Transpose", "Reshape", "Unsqueeze", "Squeeze", "Identity"])
        self._use(x)
        if kind == "Flatten":
            name, shape = w.op(kind, x.name, axis=1)[0], (math.prod(x.shape),)
        elif kind == "Transpose":
            order = [int(i) for i in c.rng.permutation(len(x.shape))]
            shape = tuple(x.shape[i] for i in order)
            name = w.op(kind, x.name, perm=[0, *(i + 1 for i in order)])[0]
        elif kind == "Reshape":
            shape = (x.shape[0], math.prod(x.shape[1:]))
            first = c.item([1, -1, 0])
            old = self.opset < 14 or c.chance(0.8) or first == 0
            extra = {} if old else {"allowzero": 1}
            name = w.op(kind, x.name, w.indices(first, *shape), **extra)[0]
        elif kind == "Unsqueeze" and len(shape) == 2:
            name, shape = w.axes(kind, x.name, [3]), (*shape, 1)
        elif kind == "Squeeze" and shape[-1] == 1 and len(shape) == 3:
            name, shape = w.axes(kind, x.name, [3]), shape[:-1]
        elif c.chance(0.3):
            name = w.op("Dropout", x.name, outputs=c.number(1, 2))[0]
        else:
            name = w.op("Identity", x.name)[0]
        self.made.append(replace(x, name=name, shape=shape))
        return True


def _same_scale(one: Made, other: Made) -> bool:
    return one.per_tensor and other.per_tensor and one.scale == other.scale
