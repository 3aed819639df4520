# SPDX-License-Identifier: Apache-2.0
"""Operators that sum: products with weights, averages, batch normalization.

A sum is certain if float32 cannot round it in any order: all products are multiples of one power
of two, and their magnitudes add up to no more than 2**24 of it. Otherwise it lies within
(K + 8) 2**-23 sum|x w| of the one in real arithmetic, the usual bound for K terms with some room
for scales that are rounded.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from tests.oracle.node import Handler, Node, Operands, Unknown, given, need
from tests.oracle.spans import ULP, Array, Span, around, grid, round32
from tests.oracle.windows import Geometry, padded, windows

Product = Callable[[Array, Array], Array]


def summed(
    x: Span, w: Span, product: Product, terms: int, bias: Span | None = None, axis: int = 1
) -> Span:
    """The span of a sum of products.

    Args:
        product: computes it, in float64.
        terms: how many products per element has.
        bias: broadcasts to the result; one more term.
        axis: of the result, along which the weights' outputs lie.
    """
    value = product(x.middle, w.middle)
    magnitude = product(np.abs(x.middle) + x.half, np.abs(w.middle) + w.half)
    step = grid(x.middle) * grid(w.middle)
    if bias is not None:
        value, magnitude = value + bias.middle, magnitude + np.abs(bias.middle)
        step = min(step, grid(bias.middle))
    exact = not (x.slack.any() or w.slack.any()) and x.certain and w.certain
    if exact and (bias is None or not bias.slack.any()):
        sure = magnitude <= step * 2.0**24
        if sure.all():
            return Span.of(value)
    else:
        sure = np.zeros((), bool)
    radius = np.where(sure, 0.0, (terms + 8) * ULP * magnitude)
    spread = np.broadcast_to(x.half + x.slack, x.shape)
    if np.any(x.half) or np.any(spread > 4 * ULP * np.abs(x.middle)):
        radius = radius + product(spread, np.abs(w.middle))
    spread = np.broadcast_to(w.half + w.slack, w.shape)
    if np.any(spread > 4 * ULP * np.abs(w.middle)):
        radius = radius + product(np.abs(x.middle) + x.half, spread)
    return around(value, radius)


def convolve(x: Array, w: Array, geometry: Geometry, groups: int, value: float = 0.0) -> Array:
    """[N, M, *places] of [N, C, *image] and [M, C/groups, *kernel]."""
    rank = len(geometry.kernel)
    view = windows(x, geometry, value)
    places = view.shape[2 : 2 + rank]
    n, channels = x.shape[:2]
    inner, outputs = channels // groups, len(w) // groups
    view = view.reshape(n, groups, inner, math.prod(places), math.prod(geometry.kernel))
    columns = view.transpose(1, 0, 3, 2, 4).reshape(groups, n * math.prod(places), -1)
    matrix = w.reshape(groups, outputs, -1).transpose(0, 2, 1)
    y = (columns @ matrix).reshape(groups, n, math.prod(places), outputs)
    return y.transpose(1, 0, 3, 2).reshape(n, groups * outputs, *places)


def _conv(node: Node, x: Operands) -> list[Span]:
    data, w = need(x, 0), need(x, 1)
    groups = int(node.get("group", 1))
    geometry = Geometry.of(node, data.shape[2:], w.shape[2:])
    bias = _along(given(x, 2), 1, len(data.shape))
    terms = math.prod(w.shape[1:]) + 1
    return [summed(data, w, lambda a, b: convolve(a, b, geometry, groups), terms, bias)]


def _conv_transpose(node: Node, x: Operands) -> list[Span]:
    data, w = need(x, 0), need(x, 1)
    groups, rank = int(node.get("group", 1)), len(data.shape) - 2
    kernel = w.shape[2:]
    strides = list(node.get("strides") or [1] * rank)
    dilations = list(node.get("dilations") or [1] * rank)
    pads = list(node.get("pads") or [0] * 2 * rank)
    extra = list(node.get("output_padding") or [0] * rank)
    if node.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID") or node.get("output_shape"):
        raise Unknown("ConvTranspose whose padding follows from its output")
    reach = [(k - 1) * d for k, d in zip(kernel, dilations, strict=True)]
    before = [r - p for r, p in zip(reach, pads[:rank], strict=True)]
    after = [r - p + e for r, p, e in zip(reach, pads[rank:], extra, strict=True)]
    ones = (1,) * rank
    geometry = Geometry(kernel, ones, tuple(dilations), (0,) * rank, (0,) * rank, (0,) * rank)

    def product(a: Array, b: Array) -> Array:
        sizes = [(n - 1) * s + 1 for n, s in zip(a.shape[2:], strides, strict=True)]
        wide = np.zeros((*a.shape[:2], *sizes))
        wide[(slice(None), slice(None), *(slice(None, None, s) for s in strides))] = a
        wide = padded(wide, before, after, 0.0)
        inner = b.shape[0] // groups
        parts = b.reshape(groups, inner, *b.shape[1:]).swapaxes(1, 2)
        flipped = parts.reshape(-1, inner, *kernel)[(..., *(slice(None, None, -1),) * rank)]
        return convolve(wide, flipped, geometry, groups)

    bias = _along(given(x, 2), 1, len(data.shape))
    terms = w.shape[0] // groups * math.prod(kernel) + 1
    return [summed(data, w, product, terms, bias)]


def _along(bias: Span | None, axis: int, rank: int) -> Span | None:
    if bias is None:
        return None
    dims = [1] * rank
    dims[axis] = -1
    return bias.moved(lambda a: a.reshape(dims))


def _matmul(node: Node, x: Operands) -> list[Span]:
    a, b = need(x, 0), need(x, 1)
    return [summed(a, b, np.matmul, a.shape[-1])]


def _gemm(node: Node, x: Operands) -> list[Span]:
    a, b, c = need(x, 0), need(x, 1), given(x, 2)
    if node.get("transA", 0):
        a = a.moved(np.transpose)
    if node.get("transB", 0):
        b = b.moved(np.transpose)
    alpha, beta = float(node.get("alpha", 1.0)), float(node.get("beta", 1.0))
    if c is not None and beta != 1:
        c = c.moved(lambda v: v * beta)
        if grid(np.asarray(beta)) < 1:
            c = Span(c.low, c.high, c.slack + ULP * np.abs(c.low), c.constant)
    if alpha == 1:
        return [summed(a, b, np.matmul, a.shape[-1] + 1, c)]
    b = b.moved(lambda v: v * alpha)  # exact in float64
    b = Span(b.low, b.high, b.slack + ULP * np.abs(b.low), b.constant)
    return [summed(a, b, np.matmul, a.shape[-1] + 3, c)]


def mean(total: Span, count: int) -> Span:
    """A sum divided by a number of terms, in one step or times the reciprocal."""
    if count & (count - 1) == 0:
        return Span(total.low / count, total.high / count, total.slack / count)
    low, high = total.low / count, total.high / count
    room = 2 * ULP * np.maximum(np.abs(low), np.abs(high))
    return Span(round32(low - room), round32(high + room), np.zeros(()))


def _average(node: Node, x: Operands) -> list[Span]:
    data = need(x, 0)
    image = data.shape[2:]
    whole = node.op == "GlobalAveragePool"
    g = Geometry.of(node, image, image if whole else node.get("kernel_shape"))
    rank = len(g.kernel)
    ones = np.ones((1, 1, *g.kernel))

    def product(a: Array, b: Array) -> Array:
        view = windows(a, g)
        return view.sum(axis=tuple(range(view.ndim - rank, view.ndim)))

    total = summed(data, Span.of(ones), product, math.prod(g.kernel))
    inside = np.ones((1, 1, *image))
    if node.get("count_include_pad", 0):
        over = tuple(a - c for a, c in zip(g.after, g.counted, strict=True))
        counted = padded(inside, g.before, g.counted, 1.0)
        flat = Geometry(g.kernel, g.strides, g.dilations, (0,) * rank, over, (0,) * rank)
        counts = windows(counted, flat).sum(axis=tuple(range(-rank, 0)))
    else:
        counts = product(inside, ones)
    return [_divided(total, counts)]


def _divided(total: Span, counts: Array) -> Span:
    values = np.unique(counts)
    if values.size == 1:
        return mean(total, int(values[0]))
    low, high = total.low / counts, total.high / counts
    room = 2 * ULP * np.maximum(np.abs(low), np.abs(high))
    return Span(round32(low - room), round32(high + room), np.zeros(()))


def _reduce(node: Node, x: Operands) -> list[Span]:
    data, operand = need(x, 0), given(x, 1)
    axes = node.get("axes") if operand is None else operand.integers
    chosen = tuple(range(len(data.shape))) if axes is None else tuple(axes)
    chosen = tuple(sorted(a % len(data.shape) for a in chosen))
    if 0 in chosen:
        raise Unknown(f"{node.op} over the batch")
    keep = bool(node.get("keepdims", 1))
    count = math.prod(data.shape[a] for a in chosen)

    def product(a: Array, b: Array) -> Array:
        return np.asarray(np.broadcast_to(a, data.shape).sum(axis=chosen, keepdims=keep))

    total = summed(data, Span.of(np.ones(())), product, count)
    return [total if node.op == "ReduceSum" else mean(total, count)]


def _batch_norm(node: Node, x: Operands) -> list[Span]:
    data = need(x, 0)
    dims = [1, -1, *(1,) * (len(data.shape) - 2)]
    gamma, beta, average, variance = (need(x, i).low.reshape(dims) for i in range(1, 5))
    factor = gamma / np.sqrt(variance + float(np.float32(node.get("epsilon", 1e-5))))
    middle = (data.middle - average) * factor + beta
    size = (np.abs(data.middle) + np.abs(average)) * np.abs(factor) + np.abs(beta)
    radius = 6 * ULP * size * (factor != 0) + data.half * np.abs(factor)
    if np.any(data.slack):
        radius = radius + data.slack * np.abs(factor)
    return [around(middle, radius)]


HANDLERS: dict[str, Handler] = {
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "MatMul": _matmul,
    "Gemm": _gemm,
    "AveragePool": _average,
    "GlobalAveragePool": _average,
    "ReduceMean": _reduce,
    "ReduceSum": _reduce,
    "BatchNormalization": _batch_norm,
}
"""By operator of ONNX's own domain."""
