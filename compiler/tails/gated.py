# SPDX-License-Identifier: Apache-2.0
"""Functions that exporters write out: v times a gate of v (Swish, HardSwish, Mish, both GELUs),
and Softplus.

They are known by their operators and constants alone. What is found counts as one operator that
reads v and falls, then rises; the operators inside say nothing. Its float32 value is off by a share
of the largest v, since the gate is off by a share of one: `Curve.reads` tells who evaluates it to
count that in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from qnnc.compiler.ir.edit import attribute, constant
from qnnc.compiler.tails.curves import GELU, GELU_TANH, MISH, Curve, falling_then_rising, rising

SWISH = -1.2784645427610738
"""Where v * sigmoid(v) turns round."""
NEAR = 1e-5
"""How far a constant may be from the function's own, as a share: the value at the turning point
then moves by its square."""
ROUNDED = 2.0
"""Of the largest magnitude that is read, in ROUNDING; test_curves.py has them."""
LONGEST = 8
"""Operators of a gate."""


@dataclass(frozen=True)
class Gated:
    """Curves of the operators that end such functions, and the operators inside."""

    curves: Mapping[ir.Node, Curve]
    inside: frozenset[ir.Node]


def gated(nodes: Sequence[ir.Node]) -> Gated:
    """Those functions among the operators of a tail."""
    curves: dict[ir.Node, Curve] = {}
    inside: set[ir.Node] = set()
    for node in nodes:
        found = _product(node) if node.op_type == "Mul" else _softplus(node)
        if found is not None:
            curves[node], within = found
            inside |= within
    return Gated(curves, frozenset(inside))


def _product(node: ir.Node) -> tuple[Curve, set[ir.Node]] | None:
    """v times something positive, times a gate of v."""
    if len(node.inputs) != 2:
        return None
    for plain, gate in (node.inputs, node.inputs[::-1]):
        if plain is None or gate is None or constant(plain) is not None:
            continue
        for v, before in _scaled(plain):
            found = _turning(gate, v)
            if found is not None:
                cut, within = found
                return falling_then_rising(cut, rounded=ROUNDED, reads=v), {*before, *within}
    return None


def _scaled(value: ir.Value) -> list[tuple[ir.Value, list[ir.Node]]]:
    """The tensor itself, and what it is a positive multiple of, with the operator between."""
    found: list[tuple[ir.Value, list[ir.Node]]] = [(value, [])]
    node = value.producer()
    step = None if node is None else _step(node)
    if node is not None and step is not None and step[0] == "*" and step[1] > 0:
        found.append((step[2], [node]))
    return found


Step = tuple[str, float, ir.Value]
"""An operator with a number ("*" or "+") or by its name, the number, and what it reads."""


def _step(node: ir.Node) -> Step | None:
    """The operator with one scalar constant, if it is such a one."""
    if node.domain != "":
        return None
    computed = [i for i, v in enumerate(node.inputs) if v is not None and constant(v) is None]
    if len(computed) != 1:
        return None
    index = computed[0]
    source = node.inputs[index]
    assert source is not None
    others = [_scalar(v) for i, v in enumerate(node.inputs) if i != index]
    if node.op_type in ("Sigmoid", "Tanh", "Softplus", "Erf", "Exp"):
        return node.op_type, 0.0, source
    if node.op_type == "HardSigmoid":
        usual = _near(attribute(node, "alpha", 0.2), 1 / 6) and attribute(node, "beta", 0.5) == 0.5
        return ("HardSigmoid", 0.0, source) if usual else None
    if node.op_type == "Clip":
        bounds = others if len(others) == 2 and index == 0 else [None]
        return ("Clip06", 0.0, source) if bounds == [0.0, 6.0] else None
    if len(others) != 1 or others[0] is None:
        return None
    number = others[0]
    if node.op_type == "Mul":
        return "*", number, source
    if node.op_type == "Div" and index == 0 and number != 0:
        return "*", 1 / number, source
    if node.op_type == "Add":
        return "+", number, source
    if node.op_type == "Pow" and index == 0 and number == 3:
        return "Cube", 3.0, source
    return None


def _scalar(value: ir.Value | None) -> float | None:
    array = constant(value)
    if array is None or array.size != 1 or array.dtype.kind != "f":
        return None
    number = float(array.reshape(()))
    return number if np.isfinite(number) else None


def _near(number: float, wanted: float) -> bool:
    return bool(abs(number - wanted) <= NEAR * abs(wanted))


def _turning(gate: ir.Value, v: ir.Value) -> tuple[float, set[ir.Node]] | None:
    """Where v times this gate turns round, and the gate's operators."""
    steps: list[Step] = []
    inside: set[ir.Node] = set()
    value = gate
    while value is not v and len(steps) < LONGEST:
        node = value.producer()
        step = None if node is None else _step(node)
        if node is None:
            return None
        if step is None:
            cubic = _cubic(node, v)
            if cubic is None:
                return None
            inside |= {node, *cubic}
            steps.append(("cubic", 0.0, v))
            value = v
            continue
        inside.add(node)
        steps.append(step)
        value = step[2]
    if value is not v or not steps:
        return None
    if steps[0][0] == "*":  # half of it, a sixth of it
        if steps[0][1] <= 0:
            return None
        steps = steps[1:]
    names, numbers = [s[0] for s in steps], [s[1] for s in steps]
    cut = _cut(names, numbers)
    return None if cut is None else (cut, inside)


def _cut(names: list[str], numbers: list[float]) -> float | None:
    """The turning point of v times a gate of these operators, last to first."""
    if names == ["Sigmoid"]:
        return SWISH
    if names == ["Sigmoid", "*"] and numbers[1] > 0:
        return SWISH / numbers[1]
    if names == ["HardSigmoid"] or (names == ["Clip06", "+"] and numbers[1] == 3):
        return -1.5
    if names == ["Tanh", "Softplus"]:
        return MISH
    if names == ["+", "Erf", "*"] and numbers[0] == 1 and _near(numbers[2], 0.5**0.5):
        return GELU
    if names == ["+", "Tanh", "*", "cubic"] and numbers[0] == 1:
        return GELU_TANH if _near(numbers[2], (2 / np.pi) ** 0.5) else None
    return None


def _cubic(node: ir.Node, v: ir.Value) -> set[ir.Node] | None:
    """The operators inside v + 0.044715 v**3."""
    if node.op_type != "Add" or node.domain != "" or list(node.inputs).count(v) != 1:
        return None
    other = node.inputs[1 - list(node.inputs).index(v)]
    scaled = None if other is None else other.producer()
    step = None if scaled is None else _step(scaled)
    if scaled is None or step is None or step[0] != "*" or not _near(step[1], 0.044715):
        return None
    cube = step[2].producer()
    if cube is None:
        return None
    power = _step(cube)
    if power is not None:
        return {scaled, cube} if power[0] == "Cube" and power[2] is v else None
    if cube.op_type != "Mul" or cube.domain != "" or list(cube.inputs).count(v) != 1:
        return None
    square_value = cube.inputs[1 - list(cube.inputs).index(v)]
    square = None if square_value is None else square_value.producer()
    if square is None or square.op_type != "Mul" or list(square.inputs) != [v, v]:
        return None
    return {scaled, cube, square}


def _softplus(node: ir.Node) -> tuple[Curve, set[ir.Node]] | None:
    """log(1 + exp(v)), which rises."""
    if node.op_type != "Log" or node.domain != "" or node.inputs[0] is None:
        return None
    added = node.inputs[0].producer()
    step = None if added is None else _step(added)
    if added is None or step is None or step[:2] != ("+", 1.0):
        return None
    power = step[2].producer()
    below = None if power is None else _step(power)
    if power is None or below is None or below[0] != "Exp":
        return None
    return rising(rounded=ROUNDED, reads=below[2]), {added, power}
