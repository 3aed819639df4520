# SPDX-License-Identifier: Apache-2.0
"""Operators that work on each element alone.

Sums, products, quotients and roots are rounded correctly by every float32 unit, so that they are
certain: computed in float64 and rounded once more they are what float32 gives, since 53 bits are
more than twice 24 and 2. Functions are not; they get a few units in the last place.
"""

from __future__ import annotations

from collections.abc import Callable
from math import erf

import numpy as np

from tests.oracle.node import Handler, Node, Operands, given, need
from tests.oracle.spans import ULP, Array, Span, round32

LOOSE = 8 * ULP
"""Error of functions that libraries approximate, relative to the largest of 1 and the result."""

_erf = np.vectorize(erf, otypes=[np.float64])


def _ends(low: Array, high: Array, slack: Array, constant: bool) -> Span:
    low = round32(low)
    return Span(low, low if low is high else round32(high), slack, constant)


def _sum(sign: int) -> Handler:
    def handler(node: Node, x: Operands) -> list[Span]:
        a, b = need(x, 0), need(x, 1)
        other = (b.low, b.high) if sign > 0 else (-b.high, -b.low)
        return [_linear(a.low + other[0], a.high + other[1], a, b, a.slack + b.slack)]

    return handler


def _product(node: Node, x: Operands) -> list[Span]:
    a, b = need(x, 0), need(x, 1)
    slack = a.slack * np.abs(b.middle) + b.slack * np.abs(a.middle) + a.slack * b.slack
    if a.low is a.high and b.low is b.high:
        low = high = a.low * b.low
    else:
        ends = [p * q for p in (a.low, a.high) for q in (b.low, b.high)]
        low, high = np.minimum.reduce(ends), np.maximum.reduce(ends)
    return [_linear(low, high, a, b, slack)]


def _linear(low: Array, high: Array, a: Span, b: Span, slack: Array) -> Span:
    """A sum or product; of two computed tensors it may be one of integers, without slack."""
    if not (a.constant or b.constant) and np.any(slack):
        # scales whose ratio is a fraction but for float32's rounding count as that fraction
        slack = slack + ULP * np.maximum(np.abs(a.low), np.abs(a.high))
        slack = slack + ULP * np.maximum(np.abs(b.low), np.abs(b.high))
        return Span(round32(low - slack), round32(high + slack), np.zeros(()))
    point = low is high or (a.low is a.high and b.low is b.high)
    rounded = round32(low)
    slack = slack + np.abs(rounded - low)
    top = rounded if point else round32(high)
    return Span(rounded, top, slack if slack.any() else np.zeros(()), a.constant and b.constant)


def _quotient(node: Node, x: Operands) -> list[Span]:
    a, b = need(x, 0), need(x, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ends = [p / q for p in (a.low, a.high) for q in (b.low, b.high)]
        slack = a.slack / np.abs(b.low)
    low, high = np.minimum.reduce(ends), np.maximum.reduce(ends)
    if np.any((b.low <= 0) & (b.high >= 0) & (b.low != b.high)):
        low, high = np.full_like(low, -np.inf), np.full_like(high, np.inf)
    return [_linear(low, high, a, b, slack)]


def _extreme(choose: Callable[[Array, Array], Array]) -> Handler:
    def handler(node: Node, x: Operands) -> list[Span]:
        result = need(x, 0)
        for other in x[1:]:
            if other is not None:
                slack = np.maximum(result.slack, other.slack)
                both = result.constant and other.constant
                low, high = choose(result.low, other.low), choose(result.high, other.high)
                result = Span(low, high, slack, both)
        return [result]

    return handler


def _clip(node: Node, x: Operands) -> list[Span]:
    a = need(x, 0)
    bounds = [
        given(x, i + 1).low if given(x, i + 1) is not None else node.get(name)  # type: ignore[union-attr]
        for i, name in enumerate(("min", "max"))
    ]
    low, high = a.low, a.high
    for choose, bound in zip((np.maximum, np.minimum), bounds, strict=True):
        if bound is not None:
            number = round32(np.asarray(bound)) if isinstance(bound, float) else bound
            low, high = choose(low, number), choose(high, number)
    return [Span(low, high, a.slack, a.constant)]


def exact(f: Callable[[Array, Node], Array], slope: float = 1.0) -> Handler:
    """A rising function that float32 computes correctly rounded."""

    def handler(node: Node, x: Operands) -> list[Span]:
        a = need(x, 0)
        low = round32(f(a.low, node))
        high = low if a.low is a.high else round32(f(a.high, node))
        return [Span(low, high, a.slack * slope, a.constant)]

    return handler


def bent(f: Callable[[Array, Node], Array], left: Callable[[Node], float]) -> Handler:
    """Two straight pieces that meet in zero, the left one with a slope."""

    def handler(node: Node, x: Operands) -> list[Span]:
        a = need(x, 0)
        ends = [round32(f(a.low, node)), round32(f(a.high, node))]
        low, high = np.minimum(*ends), np.maximum(*ends)
        across = (a.low < 0) & (a.high > 0)
        low = np.where(across, np.minimum(low, 0), low)
        slack = a.slack * max(1.0, abs(left(node)))
        return [Span(low, low if a.low is a.high else high, slack, a.constant)]

    return handler


def loose(f: Callable[[Array, Node], Array], slope: float | Callable[[Node], float]) -> Handler:
    """A function with a steepest slope, good to a few units in the last place."""

    def handler(node: Node, x: Operands) -> list[Span]:
        a = need(x, 0)
        steep = slope(node) if callable(slope) else slope
        with np.errstate(over="ignore"):
            middle = f(a.middle, node)
        size = np.maximum(1.0, np.maximum(np.abs(middle), np.abs(a.middle)))
        radius = a.half * steep + LOOSE * size
        return [
            Span(round32(middle - radius), round32(middle + radius), a.slack * steep, a.constant)
        ]

    return handler


def rising(f: Callable[[Array, Node], Array]) -> Handler:
    """A rising function without a steepest slope."""

    def handler(node: Node, x: Operands) -> list[Span]:
        a = need(x, 0)
        with np.errstate(all="ignore"):
            low, high = f(a.low, node), f(a.high, node)
        room = LOOSE * np.maximum(1.0, np.maximum(np.abs(low), np.abs(high)))
        return [Span(round32(low - room), round32(high + room), a.slack, a.constant)]

    return handler


def _absolute(node: Node, x: Operands) -> list[Span]:
    a = need(x, 0)
    ends = np.abs(a.low), np.abs(a.high)
    low = np.where((a.low < 0) & (a.high > 0), 0.0, np.minimum(*ends))
    return [Span(low, np.maximum(*ends), a.slack, a.constant)]


def _negative(node: Node, x: Operands) -> list[Span]:
    a = need(x, 0)
    low = -a.high
    return [Span(low, low if a.low is a.high else -a.low, a.slack, a.constant)]


def _slope(node: Node, x: Operands) -> list[Span]:
    """PRelu."""
    a, slope = need(x, 0), need(x, 1).low
    ends = [round32(np.where(v < 0, v * slope, v)) for v in (a.low, a.high)]
    low, high = np.minimum(*ends), np.maximum(*ends)
    low = np.where((a.low < 0) & (a.high > 0), np.minimum(low, 0), low)
    return [Span(low, high, a.slack * np.maximum(1, np.abs(slope)), a.constant)]


def _thresholded(node: Node, x: Operands) -> list[Span]:
    a, alpha = need(x, 0), float(np.float32(node.get("alpha", 1.0)))
    ends = [np.where(v > alpha, v, 0.0) for v in (a.low, a.high)]
    low, high = np.minimum(*ends), np.maximum(*ends)
    across = (a.low <= alpha) & (a.high > alpha)
    low = np.where(across, np.minimum(low, np.minimum(0, alpha)), low)
    return [Span(low, np.where(across, np.maximum(high, 0), high), a.slack, a.constant)]


def _power(node: Node, x: Operands) -> list[Span]:
    exponent = need(x, 1).low
    if exponent.size != 1 or float(exponent.reshape(())) != 2.0:
        return rising(lambda v, n: np.power(v, exponent))(node, x)
    found = _product(node, [need(x, 0), need(x, 0)])[0]
    low = np.where((need(x, 0).low < 0) & (need(x, 0).high > 0), 0.0, found.low)
    room = ULP * np.abs(found.high)  # pow is not always rounded correctly
    exact_square = need(x, 0).certain and bool(np.all(round32(found.low) == found.low))
    room = np.zeros(()) if exact_square and not found.slack.any() else room
    return [Span(low - room, found.high + room, found.slack, found.constant)]


def _compare(test: Callable[[Array, Array], Array]) -> Handler:
    def handler(node: Node, x: Operands) -> list[Span]:
        a, b = need(x, 0), need(x, 1)
        found = [test(p, q).astype(np.float64) for p in (a.low, a.high) for q in (b.low, b.high)]
        low, high = np.minimum.reduce(found), np.maximum.reduce(found)
        return [Span(low, high, np.zeros(()), a.constant and b.constant)]

    return handler


def _where(node: Node, x: Operands) -> list[Span]:
    c, a, b = need(x, 0), need(x, 1), need(x, 2)
    low = np.minimum(np.where(c.low > 0, a.low, b.low), np.where(c.high > 0, a.low, b.low))
    high = np.maximum(np.where(c.low > 0, a.high, b.high), np.where(c.high > 0, a.high, b.high))
    return [Span(low, high, np.maximum(a.slack, b.slack), a.constant and b.constant)]


def _cast(node: Node, x: Operands) -> list[Span]:
    a, to = need(x, 0), int(node.get("to"))
    if to == 9:  # bool
        both = (a.low <= 0) & (a.high >= 0)
        low = np.where(both, 0.0, 1.0)
        high = np.where(both & (a.low == a.high), 0.0, 1.0)
        return [Span(low, high, np.zeros(()), a.constant)]
    if to in (1, 10, 11):
        return [a]
    return [Span(np.trunc(a.low), np.trunc(a.high), np.zeros(()), a.constant)]


def _softplus(v: Array, node: Node) -> Array:
    return np.asarray(np.logaddexp(0.0, v))


def _sigmoid(v: Array, node: Node | None = None) -> Array:
    return np.asarray(np.exp(-np.logaddexp(0.0, -v)))


def _elu(default: float, gamma: float) -> Callable[[Array, Node], Array]:
    def f(v: Array, node: Node) -> Array:
        a, g = node.get("alpha", default), node.get("gamma", gamma)
        return np.asarray(g * np.where(v > 0, v, a * np.expm1(np.minimum(v, 0))))

    return f


def _celu(v: Array, node: Node) -> Array:
    a = node.get("alpha", 1.0)
    return np.asarray(np.maximum(v, 0) + np.minimum(0, a * np.expm1(np.minimum(v / a, 50))))


def _gelu(v: Array, node: Node) -> Array:
    if node.get("approximate", "none") == "tanh":
        return np.asarray(0.5 * v * (1 + np.tanh(np.sqrt(2 / np.pi) * (v + 0.044715 * v**3))))
    return np.asarray(0.5 * v * (1 + _erf(v / np.sqrt(2))))


def _hard_sigmoid(v: Array, node: Node) -> Array:
    alpha, beta = (float(np.float32(node.get(n, d))) for n, d in (("alpha", 0.2), ("beta", 0.5)))
    return np.clip(alpha * v + beta, 0, 1)


def _softmax(node: Node, x: Operands) -> list[Span]:
    a, axis = need(x, 0), int(node.get("axis", -1 if node.opset >= 13 else 1))
    e = np.exp(a.middle - a.middle.max(axis=axis, keepdims=True))
    middle = e / e.sum(axis=axis, keepdims=True)
    reach = a.half + a.slack + 2 * ULP * np.abs(a.middle)  # of what is raised to the power
    radius = LOOSE + 2 * np.max(np.broadcast_to(reach, a.shape), axis=axis, keepdims=True)
    return [Span(middle - radius, middle + radius, np.zeros(()))]


def _alpha(default: float) -> Callable[[Node], float]:
    return lambda node: float(np.float32(node.get("alpha", default)))


HANDLERS: dict[str, Handler] = {
    "Add": _sum(1),
    "Sub": _sum(-1),
    "Mul": _product,
    "Div": _quotient,
    "Min": _extreme(np.minimum),
    "Max": _extreme(np.maximum),
    "Clip": _clip,
    "Relu": exact(lambda v, n: np.maximum(v, 0)),
    "Floor": exact(lambda v, n: np.floor(v)),
    "Ceil": exact(lambda v, n: np.ceil(v)),
    "Round": exact(lambda v, n: np.rint(v)),
    "Sign": exact(lambda v, n: np.sign(v)),
    "Sqrt": exact(lambda v, n: np.sqrt(np.maximum(v, 0))),
    "LeakyRelu": bent(lambda v, n: np.where(v < 0, _alpha(0.01)(n) * v, v), _alpha(0.01)),
    "PRelu": _slope,
    "ThresholdedRelu": _thresholded,
    "Abs": _absolute,
    "Neg": _negative,
    "Pow": _power,
    "Tanh": loose(lambda v, n: np.tanh(v), 1.0),
    "Sigmoid": loose(_sigmoid, 0.25),
    "Erf": loose(lambda v, n: _erf(v), 1.2),
    "Elu": loose(_elu(1.0, 1.0), lambda n: max(1.0, abs(_alpha(1.0)(n)))),
    "Selu": loose(_elu(1.67326324, 1.05070102), 1.8),
    "Celu": loose(_celu, 1.0),
    "Softplus": loose(_softplus, 1.0),
    "Softsign": loose(lambda v, n: v / (1 + np.abs(v)), 1.0),
    "Gelu": loose(_gelu, 1.2),
    "Mish": loose(lambda v, n: v * np.tanh(_softplus(v, n)), 1.2),
    "HardSigmoid": loose(_hard_sigmoid, lambda n: abs(_alpha(0.2)(n))),
    "HardSwish": loose(lambda v, n: v * np.clip(v / 6 + 0.5, 0, 1), 1.6),
    "Atan": loose(lambda v, n: np.arctan(v), 1.0),
    "Sin": loose(lambda v, n: np.sin(v), 1.0),
    "Cos": loose(lambda v, n: np.cos(v), 1.0),
    "Exp": rising(lambda v, n: np.exp(v)),
    "Log": rising(lambda v, n: np.log(v)),
    "Softmax": _softmax,
    "Greater": _compare(np.greater),
    "GreaterOrEqual": _compare(np.greater_equal),
    "Less": _compare(np.less),
    "LessOrEqual": _compare(np.less_equal),
    "Equal": _compare(np.equal),
    "Where": _where,
    "Cast": _cast,
}
"""By operator of ONNX's own domain."""
