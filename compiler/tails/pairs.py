# SPDX-License-Identifier: Apache-2.0
"""Tails of two integers: branches of different scales that meet before a quantizer.

The code is a function f(a, b) that rises with a * ra + b * rb for some real ra and rb. Integers
A and B are looked for such that A * a + B * b puts all pairs in an order in which the code never
falls: then thresholds on that sum give the code, exactly. Every pair of the two ranges is
evaluated in ONNX Runtime and checked.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from qnnc.compiler.errors import Unsupported, quote
from qnnc.compiler.integer import layout
from qnnc.compiler.ir.edit import constant, shape_of
from qnnc.compiler.ir.facts import IntArray, as_integers, integer
from qnnc.compiler.ir.operators.multi_threshold import Table
from qnnc.compiler.reference import Session, expand
from qnnc.compiler.tails.collect import FloatingInput, check_elementwise, computed_inputs, walk_back

MAX_FACTOR_BITS = 16
"""Bits of the larger of the two factors at most."""


@dataclass(frozen=True)
class PairTail:
    """A function of two integers, the same at every place.

    Attributes:
        anchors: the two integer tensors.
        codes: the integer tensor it ends in.
        nodes: its operators in order.
    """

    anchors: tuple[ir.Value, ir.Value]
    codes: ir.Value
    nodes: tuple[ir.Node, ...]


@dataclass(frozen=True)
class PairTable:
    """code = table of (anchors[0] * factors[0] + anchors[1] * factors[1]).

    Attributes:
        factors: of the two integers.
        low: least sum.
        high: greatest sum.
        table: thresholds on the sum.
    """

    factors: tuple[int, int]
    low: int
    high: int
    table: Table


def collect_pair(codes: ir.Value) -> PairTail:
    """The tail of two integers that ends in `codes`.

    Raises:
        Unsupported: it starts from other than two integers, or is not the same everywhere.
    """
    try:
        nodes, found = walk_back(codes, _check)
    except FloatingInput as error:
        raise Unsupported(f"its input {quote(str(error))} is not quantized") from error
    if len(found) != 2:
        named = ", ".join(quote(v.name) for v in found)
        raise Unsupported(f"it combines {len(found)} integer tensors ({named})")
    shapes = [shape_of(value) for value in (*found, codes)]
    if len({len(shape) for shape in shapes}) > 1 or np.broadcast_shapes(*shapes[:2]) != shapes[2]:
        raise Unsupported("it combines integer tensors of different shapes")
    return PairTail((found[0], found[1]), codes, tuple(nodes))


def _check(node: ir.Node) -> None:
    check_elementwise(node)
    if node.op_type in layout.OPERATORS:
        raise Unsupported("it reshapes on one of several paths")
    if node.op_type == "BatchNormalization":
        raise Unsupported("its parameters differ among channels, and it combines two tensors")
    for value in node.inputs:
        array = constant(value)
        if array is not None and array.size > 1:
            raise Unsupported("its parameters differ among channels, and it combines two tensors")


def evaluate_pair(model: ir.Model, tail: PairTail, max_elements: int) -> PairTable:
    """Factors and thresholds for a tail of two integers.

    Raises:
        Unsupported: the ranges are too large to try every pair, or no factors of
            MAX_FACTOR_BITS bits keep the order.
    """
    ranges = [_range(value) for value in tail.anchors]
    if ranges[0].size * ranges[1].size > max_elements:
        raise Unsupported(
            f"it combines two tensors of {ranges[0].size} and {ranges[1].size} different "
            "integers; quantize both before they meet"
        )
    a, b = (grid.ravel() for grid in np.meshgrid(*ranges, indexing="ij"))
    codes = _codes(model, tail, a, b)
    ratio = _ratio(tail)
    for bits in range(1, MAX_FACTOR_BITS + 1):
        unit = max(abs(r) for r in ratio) / ((1 << bits) - 1)
        factors = round(ratio[0] / unit), round(ratio[1] / unit)
        table = _table(a * factors[0] + b * factors[1], codes)
        if table is not None:
            sums = a * factors[0] + b * factors[1]
            return PairTable(factors, int(sums.min()), int(sums.max()), table)
    raise Unsupported(
        f"no {MAX_FACTOR_BITS}-bit factors bring its two integers onto one scale exactly; let "
        "both branches go through quantizers of the same scale"
    )


def _range(value: ir.Value) -> IntArray:
    fact = integer(value)
    assert fact is not None
    return np.arange(int(fact.low.min()), int(fact.high.max()) + 1, dtype=np.int64)


def _codes(model: ir.Model, tail: PairTail, a: IntArray, b: IntArray) -> IntArray:
    plain = expand(
        model, inputs=tail.anchors, outputs=[tail.codes], nodes=tail.nodes, any_shape=True
    )
    rank = len(shape_of(tail.codes))
    feeds = {}
    for value, numbers in zip(tail.anchors, (a, b), strict=True):
        dtype = np.float64 if value.dtype == ir.DataType.DOUBLE else np.float32
        feeds[str(value.name)] = numbers.astype(dtype).reshape(-1, *(1,) * (rank - 1))
    found = Session(plain).run(feeds)[str(tail.codes.name)]
    if not np.all(np.isfinite(found)):
        raise Unsupported("it gives values that are not finite")
    return as_integers(found).ravel()


def _ratio(tail: PairTail) -> tuple[float, float]:
    """How strongly the code depends on either integer: what each is multiplied by on its way to
    where they meet. (Its fact does not say that of integers that stand for themselves.)"""
    inside = set(tail.nodes)
    return _multiplied(tail.anchors[0], inside), _multiplied(tail.anchors[1], inside)


def _multiplied(value: ir.Value, inside: set[ir.Node]) -> float:
    """The product of constants that a tensor is multiplied by before it meets another."""
    factor = 1.0
    while True:
        user = next((user for user, _ in value.uses() if user in inside), None)
        if user is None:
            break
        if len(computed_inputs(user)) > 1:  # where they meet
            factor = -factor if user.op_type == "Sub" and user.inputs[1] is value else factor
            break
        operand = next((a for v in user.inputs if (a := constant(v)) is not None), None)
        if operand is not None and user.op_type in ("Mul", "Dequantize"):
            factor *= float(operand.ravel()[0])
        elif operand is not None and user.op_type == "Div" and user.inputs[0] is value:
            factor /= float(operand.ravel()[0]) or np.inf  # by zero: refused below
        value = user.outputs[0]
    if factor == 0 or not np.isfinite(factor):
        raise Unsupported("one of its two integers is multiplied by zero")
    return factor


def _table(sums: IntArray, codes: IntArray) -> Table | None:
    """Thresholds on the sums that give the codes, if the codes never fall with the sums."""
    order = np.lexsort((codes, sums))
    ordered, by_sum = codes[order], sums[order]
    if np.any(np.diff(ordered) < 0) or np.any((np.diff(by_sum) == 0) & (np.diff(ordered) != 0)):
        return None
    base, top = int(ordered[0]), max(int(ordered[-1]), int(ordered[0]) + 1)
    reached = np.searchsorted(ordered, np.arange(base + 1, top + 1), side="left")
    beyond = int(by_sum[-1]) + 1
    padded = np.append(by_sum, beyond)
    return Table(padded[reached][None, :], base)
