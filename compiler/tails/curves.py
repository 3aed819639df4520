# SPDX-License-Identifier: Apache-2.0
"""Whether an elementwise operator rises or falls, piece by piece.

A whitelist: an operator that is not in it, or whose parameters do not meet the condition there,
has no curve, and is evaluated at every integer or not at all. Turning points are those of the
functions, to more digits than float32 has.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from qnnc.compiler.ir.edit import attribute, constant, shape_of

ROUNDING = 2.0**-20
"""How far the library's value of a transcendental function may be from the true one: of the value,
or of one where that is less. ONNX Runtime's go back by at most half of it (test_curves.py)."""

GELU, GELU_TANH, MISH = -0.7517915246935645, -0.7524614220710163, -1.1924312145154952
"""Where these functions turn round."""

Signs = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Curve:
    """How an operator with constants depends on its one computed input, v.

    Attributes:
        signs: for each piece +1 where it never falls and -1 where it never rises; arrays that
            broadcast against the output.
        cuts: where the second piece starts, the third, …: at v >= cut, or v > cut.
        after: whether a piece starts only after its cut (v > cut).
        rounded: the library computes it only to so many times ROUNDING, so that it may go back a
            little; 0 for what never does.
        reads: the tensor v, where several operators count as one; its value is then off by
            `rounded` times the largest magnitude of v. By default the operator's own input.
    """

    signs: tuple[Signs, ...]
    cuts: tuple[float, ...] = ()
    after: bool = False
    rounded: float = 0.0
    reads: ir.Value | None = None

    @property
    def never_falls(self) -> bool:
        """It rises over the whole range, for all elements."""
        return not self.cuts and bool(np.all(self.signs[0] >= 0))


def curve(node: ir.Node) -> Curve | None:
    """The operator's curve; None if none is known."""
    found = KNOWN.get(node.op_type)
    computed = [i for i, v in enumerate(node.inputs) if v is not None and constant(v) is None]
    if found is None or len(computed) != 1:
        return None
    return found(node, computed[0])


def _sign(array: object) -> Signs:
    return np.where(np.asarray(array) < 0, -1, 1).astype(np.int64)


def _one(sign: int = 1, *, rounded: float = 0.0) -> Callable[[ir.Node, int], Curve | None]:
    """The same in all cases, for the first input."""

    def found(node: ir.Node, index: int) -> Curve | None:
        return Curve((_sign(sign),), rounded=rounded) if index == 0 else None

    return found


def _turning(at: float, *, rounded: float = 1.0) -> Callable[[ir.Node, int], Curve | None]:
    """Falling, then rising."""

    def found(node: ir.Node, index: int) -> Curve | None:
        return Curve((_sign(-1), _sign(1)), (at,), rounded=rounded) if index == 0 else None

    return found


def rising(*, rounded: float, reads: ir.Value) -> Curve:
    """Of several operators that rise as one."""
    return Curve((_sign(1),), rounded=rounded, reads=reads)


def falling_then_rising(at: float, *, rounded: float, reads: ir.Value) -> Curve:
    """Of several operators that turn round as one."""
    return Curve((_sign(-1), _sign(1)), (at,), rounded=rounded, reads=reads)


def _operand(node: ir.Node, index: int) -> NDArray[Any] | None:
    """A constant operand without what compares with nothing."""
    value = node.inputs[index] if index < len(node.inputs) else None
    array = constant(value)
    return None if array is None or array.dtype.kind != "f" or np.any(np.isnan(array)) else array


def _add(node: ir.Node, index: int) -> Curve | None:
    other = _operand(node, 1 - index)
    if other is None or not np.all(np.isfinite(other)):
        return None
    return Curve((_sign(-1 if node.op_type == "Sub" and index == 1 else 1),))


def added_to(node: ir.Node, value: ir.Value) -> Curve | None:
    """The curve of a sum or difference as `value` changes and the other operand does not."""
    if node.op_type not in ("Add", "Sub") or list(node.inputs).count(value) != 1:
        return None
    return Curve((_sign(-1 if node.op_type == "Sub" and node.inputs[1] is value else 1),))


def _multiply(node: ir.Node, index: int) -> Curve | None:
    other = _operand(node, 1 - index)
    if other is None or not np.all(np.isfinite(other)):
        return None
    if node.op_type == "Div" and (index == 1 or np.any(other == 0)):
        return None
    return Curve((_sign(other),))


def _batch_norm(node: ir.Node, index: int) -> Curve | None:
    arrays = [_operand(node, i) for i in range(1, 5)]
    if index != 0 or attribute(node, "training_mode", 0):
        return None
    if any(a is None or not np.all(np.isfinite(a)) for a in arrays):
        return None
    gamma, variance, source = arrays[0], arrays[3], node.inputs[0]
    assert gamma is not None and variance is not None and source is not None
    if not np.all(variance + float(attribute(node, "epsilon", 1e-5)) > 0):
        return None
    return Curve((_sign(gamma).reshape(-1, *(1,) * (len(shape_of(source)) - 2)),))


def _dequantize(node: ir.Node, index: int) -> Curve | None:
    scale = _operand(node, 1)
    return None if index != 0 or scale is None else Curve((_sign(scale),))


def _bounded(node: ir.Node, index: int) -> Curve | None:
    """Clip, Min, Max: all other operands are constants."""
    others = [_operand(node, i) for i, v in enumerate(node.inputs) if i != index and v is not None]
    if any(a is None for a in others) or (node.op_type == "Clip" and index != 0):
        return None
    return Curve((_sign(1),))


def _compared(node: ir.Node, index: int) -> Curve | None:
    if _operand(node, 1 - index) is None:
        return None
    return Curve((_sign(1 if node.op_type.startswith("Greater") == (index == 0) else -1),))


def _cast(node: ir.Node, index: int) -> Curve | None:
    """To a float type that holds all float32: any other overflows, wraps or makes all but zero
    one."""
    wide = (ir.DataType.FLOAT, ir.DataType.DOUBLE)
    source = node.inputs[0]
    if source is None or attribute(node, "to") not in wide:
        return None
    return Curve((_sign(1),))


def _parameter(node: ir.Node, name: str, default: float) -> float | None:
    value = float(attribute(node, name, default))
    return value if np.isfinite(value) else None


def _leaky(node: ir.Node, index: int) -> Curve | None:
    alpha = _parameter(node, "alpha", 0.01)
    return None if alpha is None else _bent(_sign(alpha))


def _prelu(node: ir.Node, index: int) -> Curve | None:
    slope = _operand(node, 1)
    if index != 0 or slope is None or not np.all(np.isfinite(slope)):
        return None
    return _bent(_sign(slope))


def _bent(left: Signs, *, rounded: float = 0.0) -> Curve:
    """Anything up to zero, rising from there on."""
    if np.all(left > 0):
        return Curve((_sign(1),), rounded=rounded)
    return Curve((left, _sign(1)), (0.0,), rounded=rounded)


def _elu(node: ir.Node, index: int) -> Curve | None:
    alpha = _parameter(node, "alpha", 1.0)
    return None if alpha is None else _bent(_sign(alpha), rounded=max(1.0, abs(alpha)))


def _celu(node: ir.Node, index: int) -> Curve | None:
    alpha = _parameter(node, "alpha", 1.0)
    return None if alpha is None or alpha <= 0 else Curve((_sign(1),), rounded=max(1.0, alpha))


def _selu(node: ir.Node, index: int) -> Curve | None:
    alpha = _parameter(node, "alpha", 1.67326319217681884765625)
    gamma = _parameter(node, "gamma", 1.05070102214813232421875)
    if alpha is None or gamma is None or gamma <= 0:
        return None
    return _bent(_sign(alpha), rounded=max(1.0, gamma * abs(alpha), gamma))


def _hard_sigmoid(node: ir.Node, index: int) -> Curve | None:
    alpha, beta = _parameter(node, "alpha", 0.2), _parameter(node, "beta", 0.5)
    return None if alpha is None or beta is None else Curve((_sign(alpha),))


def _thresholded(node: ir.Node, index: int) -> Curve | None:
    """Zero up to alpha, v from there on."""
    alpha = _parameter(node, "alpha", 1.0)
    if alpha is None:
        return None
    if alpha >= 0:
        return Curve((_sign(1),))
    return Curve((_sign(1), _sign(1)), (alpha,), after=True)


def _gelu(node: ir.Node, index: int) -> Curve | None:
    tanh = attribute(node, "approximate", "none") == "tanh"
    return Curve((_sign(-1), _sign(1)), (GELU_TANH if tanh else GELU,), rounded=4.0)


def _power(node: ir.Node, index: int) -> Curve | None:
    exponent = _operand(node, 1)
    if index != 0 or exponent is None or exponent.size != 1:
        return None
    number = float(exponent.reshape(()))
    if number not in (1.0, 2.0, 3.0):
        return None
    if number == 2:
        return Curve((_sign(-1), _sign(1)), (0.0,), rounded=1.0)
    return Curve((_sign(1),), rounded=1.0)


KNOWN: dict[str, Callable[[ir.Node, int], Curve | None]] = {
    "Add": _add,
    "Sub": _add,
    "Mul": _multiply,
    "Div": _multiply,
    "BatchNormalization": _batch_norm,
    "Dequantize": _dequantize,
    "Clip": _bounded,
    "Min": _bounded,
    "Max": _bounded,
    "Relu": _one(),
    "Floor": _one(),
    "Ceil": _one(),
    "Round": _one(),
    "Sign": _one(),
    "Identity": _one(),
    "Neg": _one(-1),
    "GreaterOrEqual": _compared,
    "Greater": _compared,
    "Less": _compared,
    "LessOrEqual": _compared,
    "Cast": _cast,
    "LeakyRelu": _leaky,
    "PRelu": _prelu,
    "HardSigmoid": _hard_sigmoid,
    "ThresholdedRelu": _thresholded,
    "Abs": _turning(0.0, rounded=0.0),
    "Elu": _elu,
    "Celu": _celu,
    "Selu": _selu,
    "Tanh": _one(rounded=1.0),
    "Sigmoid": _one(rounded=1.0),
    "Exp": _one(rounded=1.0),
    "Softplus": _one(rounded=1.0),
    "Softsign": _one(rounded=1.0),
    "Erf": _one(rounded=1.0),
    "Atan": _one(rounded=1.0),
    "Gelu": _gelu,
    "Mish": _turning(MISH),
    "HardSwish": _turning(-1.5),
    "Pow": _power,
}
"""Operators whose curve is known, by what their parameters allow."""
