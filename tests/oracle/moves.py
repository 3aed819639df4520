# SPDX-License-Identifier: Apache-2.0
"""Operators that move elements or choose among them: layouts, joints, cuts, maxima, labels."""

from __future__ import annotations

import math

import numpy as np

from tests.oracle.node import Handler, Node, Operands, Unknown, given, need
from tests.oracle.spans import Array, Span, joined
from tests.oracle.windows import Geometry, windows


def _same(node: Node, x: Operands) -> list[Span]:
    return [need(x, 0)]


def _reshape(node: Node, x: Operands) -> list[Span]:
    data = need(x, 0)
    target = need(x, 1).integers if len(x) > 1 else list(node.get("shape"))
    if not node.get("allowzero", 0):
        target = [data.shape[i] if d == 0 else d for i, d in enumerate(target)]
    return [data.moved(lambda a: a.reshape(_batched(data, target)))]


def _batched(data: Span, target: list[int]) -> list[int]:
    """Samples lie along the first axis, which the model takes for a batch of one."""
    if data.constant:
        return target
    rest = data.low.size // data.shape[0]
    known = math.prod(d for d in target if d > 0)
    if target[0] == -1:
        if known != rest:
            raise Unknown("Reshape that mixes samples")
        return [data.shape[0], *target[1:]]
    if -1 in target:
        target = [rest * target[0] // known * target[0] if d == -1 else d for d in target]
    first = data.shape[0] if target[0] in (1, data.shape[0]) else target[0]
    return [first, *target[1:]]


def _flatten(node: Node, x: Operands) -> list[Span]:
    data, axis = need(x, 0), int(node.get("axis", 1))
    axis = axis % len(data.shape) if axis < 0 else axis
    if axis == 0:
        raise Unknown("Flatten of the batch")
    first = math.prod(data.shape[:axis])
    return [data.moved(lambda a: a.reshape(first, -1))]


def _squeeze(node: Node, x: Operands) -> list[Span]:
    data, operand = need(x, 0), given(x, 1)
    axes = node.get("axes") if operand is None else operand.integers
    rank = len(data.shape)
    if axes is None:
        axes = [i for i, n in enumerate(data.shape) if n == 1 and i > 0]
    chosen = tuple(a % rank for a in axes)
    return [data.moved(lambda a: np.squeeze(a, chosen))]


def _unsqueeze(node: Node, x: Operands) -> list[Span]:
    operand = given(x, 1)
    axes = tuple(node.get("axes") if operand is None else operand.integers)
    return [need(x, 0).moved(lambda a: np.expand_dims(a, axes))]


def _transpose(node: Node, x: Operands) -> list[Span]:
    perm = node.get("perm")
    return [need(x, 0).moved(lambda a: np.transpose(a, perm))]


def _concat(node: Node, x: Operands) -> list[Span]:
    parts = [p for p in x if p is not None]
    return [joined(parts, lambda arrays: np.concatenate(arrays, axis=int(node.get("axis"))))]


def _split(node: Node, x: Operands) -> list[Span]:
    data, operand, axis = need(x, 0), given(x, 1), int(node.get("axis", 0))
    sizes = node.get("split") if operand is None else operand.integers
    count = len(node.outputs)
    if sizes is None:
        size = -(-data.shape[axis] // count)
        sizes = [min(size, data.shape[axis] - i * size) for i in range(count)]
    ends = np.cumsum(sizes)
    return [
        data.moved(lambda a, e=end, s=size: np.take(a, range(e - s, e), axis))  # type: ignore[misc]
        for end, size in zip(ends, sizes, strict=True)
    ]


def _slice(node: Node, x: Operands) -> list[Span]:
    data = need(x, 0)
    parts = []
    for index, name in enumerate(("starts", "ends", "axes", "steps"), 1):
        operand = given(x, index)
        parts.append(node.get(name) if operand is None else operand.integers)
    starts, ends, axes, steps = parts
    cuts = [slice(None)] * len(data.shape)
    for i, start in enumerate(starts):
        axis = (axes[i] if axes is not None else i) % len(data.shape)
        step = steps[i] if steps is not None else 1
        size, end = data.shape[axis], ends[i]
        stop = None if step < 0 and end < -size else end
        cuts[axis] = slice(start, stop, step)
    return [data.moved(lambda a: a[tuple(cuts)])]


def _pad(node: Node, x: Operands) -> list[Span]:
    data, operand, value = need(x, 0), given(x, 1), given(x, 2)
    pads = node.get("pads") if operand is None else operand.integers
    number = float(node.get("value", 0.0)) if value is None else float(value.low.reshape(()))
    mode = node.get("mode", "constant")
    rank = len(data.shape)
    axes = given(x, 3)
    chosen = [a % rank for a in axes.integers] if axes is not None else list(range(rank))
    sides = [(0, 0)] * rank
    for i, axis in enumerate(chosen):
        sides[axis] = (pads[i], pads[i + len(chosen)])
    if min(v for side in sides for v in side) < 0:
        raise Unknown("Pad that cuts off")

    def border(a: Array, fill: float) -> Array:
        if mode == "constant":
            return np.pad(a, sides, constant_values=fill)
        return np.pad(a, sides, mode={"reflect": "reflect", "edge": "edge"}[mode])

    low = border(data.low, number)
    high = low if data.low is data.high else border(data.high, number)
    slack = np.zeros(())
    if data.slack.any():
        slack = border(np.broadcast_to(data.slack, data.shape), 0.0)
    return [Span(low, high, slack)]


def _max_pool(node: Node, x: Operands) -> list[Span]:
    data = need(x, 0)
    image = data.shape[2:]
    whole = node.op == "GlobalMaxPool"
    g = Geometry.of(node, image, image if whole else node.get("kernel_shape"))
    axes = tuple(range(-len(g.kernel), 0))

    def most(a: Array) -> Array:
        return np.asarray(windows(a, g, -np.inf).max(axis=axes))

    found = data.moved(most)
    if data.slack.any():
        slack = windows(np.broadcast_to(data.slack, data.shape), g).max(axis=axes)
        found = Span(found.low, found.high, slack)
    return [found]


def _resize(node: Node, x: Operands) -> list[Span]:
    data = need(x, 0)
    if node.get("mode", "nearest") != "nearest":
        raise Unknown("Resize that interpolates")
    factors = node.get("scales")
    if factors is None:
        operand = given(x, 1 if node.op == "Upsample" or node.opset < 11 else 2)
        factors = operand.low.tolist() if operand is not None and operand.low.size else None
    if factors is None:
        sizes = need(x, 3).integers
        factors = [1, *(s / n for s, n in zip(sizes[1:], data.shape[1:], strict=True))]
    old = node.op == "Upsample" or node.opset < 11
    how = "asymmetric" if old else node.get("coordinate_transformation_mode", "half_pixel")
    nearest = "floor" if old else node.get("nearest_mode", "round_prefer_floor")
    result = data
    for axis, factor in enumerate(factors):
        if factor == 1:
            continue
        size = data.shape[axis]
        place = np.arange(math.floor(size * factor), dtype=np.float64)
        if how == "asymmetric":
            at = place / factor
        elif how in ("half_pixel", "pytorch_half_pixel"):
            at = (place + 0.5) / factor - 0.5
        else:
            raise Unknown(f"Resize in mode {how}")
        if nearest == "floor":
            index = np.floor(at)
        elif nearest == "ceil":
            index = np.ceil(at)
        elif nearest == "round_prefer_floor":
            index = np.ceil(at - 0.5)
        else:
            index = np.floor(at + 0.5)
        chosen = np.clip(index, 0, size - 1).astype(int)
        result = result.moved(lambda a, c=chosen, i=axis: np.take(a, c, i))  # type: ignore[misc]
    return [result]


def _depth_to_space(node: Node, x: Operands) -> list[Span]:
    b = int(node.get("blocksize"))

    def move(a: Array) -> Array:
        n, c, h, w = a.shape
        if node.get("mode", "DCR") == "DCR":
            y = a.reshape(n, b, b, c // b**2, h, w).transpose(0, 3, 4, 1, 5, 2)
        else:
            y = a.reshape(n, c // b**2, b, b, h, w).transpose(0, 1, 4, 2, 5, 3)
        return y.reshape(n, c // b**2, h * b, w * b)

    return [need(x, 0).moved(move)]


def _space_to_depth(node: Node, x: Operands) -> list[Span]:
    b = int(node.get("blocksize"))

    def move(a: Array) -> Array:
        n, c, h, w = a.shape
        y = a.reshape(n, c, h // b, b, w // b, b).transpose(0, 3, 5, 1, 2, 4)
        return y.reshape(n, c * b**2, h // b, w // b)

    return [need(x, 0).moved(move)]


def _label(node: Node, x: Operands) -> list[Span]:
    """ArgMax, and the indices of TopK with k=1: of equal ones the first."""
    data, axis = need(x, 0), int(node.get("axis", -1 if node.op == "TopK" else 0))
    if node.op == "TopK":
        operand = given(x, 1)
        k = int(node.get("k", 1)) if operand is None else operand.integers[0]
        if k != 1 or not node.get("largest", 1):
            raise Unknown("TopK of more than one")
    elif node.get("select_last_index", 0):
        raise Unknown("ArgMax that takes the last")
    first = np.expand_dims(np.argmax(data.middle, axis=axis), axis)
    best = np.take_along_axis(data.low, first, axis)
    position = np.arange(data.shape[axis]).reshape([-1 if i == axis % data.low.ndim else 1
                                                     for i in range(data.low.ndim)])  # fmt: skip
    rival = (data.high > best) | ((data.high == best) & (position < first))
    loose = (data.low != data.high) | np.broadcast_to(data.slack > 0, data.shape)
    near = np.take_along_axis(loose, first, axis) | loose
    room = 1e-6 * np.abs(best)
    rival |= near & (data.high >= best - room)
    sure = ~np.any(rival & (position != first), axis=axis, keepdims=True)
    low = np.where(sure, first, 0).astype(np.float64)
    high = np.where(sure, first, data.shape[axis] - 1).astype(np.float64)
    if node.op == "ArgMax" and not node.get("keepdims", 1):
        low, high = low.squeeze(axis), high.squeeze(axis)
    label = Span(low, high, np.zeros(()))
    values = data.moved(lambda a: a.max(axis=axis, keepdims=True))
    return [values, label] if node.op == "TopK" else [label]


HANDLERS: dict[str, Handler] = {
    "Identity": _same,
    "Dropout": _same,
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Transpose": _transpose,
    "Concat": _concat,
    "Split": _split,
    "Slice": _slice,
    "Pad": _pad,
    "MaxPool": _max_pool,
    "GlobalMaxPool": _max_pool,
    "Resize": _resize,
    "Upsample": _resize,
    "DepthToSpace": _depth_to_space,
    "SpaceToDepth": _space_to_depth,
    "ArgMax": _label,
    "TopK": _label,
}
"""By operator of ONNX's own domain."""
