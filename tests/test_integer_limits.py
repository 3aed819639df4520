# SPDX-License-Identifier: Apache-2.0
"""Limits of integer arithmetic: what is just within each is computed, what is just beyond is
refused; and sums that only float64 holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from qnnc.compiler.errors import Unsupported
from qnnc.compiler.integer import clip, join, residual, uneven, weights
from qnnc.compiler.ir.intervals import Interval
from tests.test_integer_forms import Case, judged

Made = tuple[Case, list[str]]


def fresh() -> Case:
    return Case(np.random.default_rng(0))


def summed(reach: int) -> Made:
    """A sum of four elements of up to `reach` each."""
    case = fresh()
    x = case.input((1, 1, 2, 2), Interval.of(reach - 1, reach))
    return case, case.op("ReduceSum", [x, case.constant([2, 3], np.int64)], keepdims=1)


def clipped(codes: int) -> Made:
    """So many integers between the bounds of a Clip."""
    case = fresh()
    x = case.input((1, 1), Interval.of(0, 6000))
    bounds = [case.constant(500.0), case.constant(float(codes + 499))]
    y = case.op("Clip", [x, *bounds])[0]
    return case, case.op("Add", [y, y])


def added(ratio: float) -> Made:
    """Two tensors whose scales differ by a factor."""
    case = fresh()
    a, b = (case.input((1, 1), Interval.of(0, 2)) for _ in range(2))
    return case, case.op("Add", [case.form(a, 0.5), case.form(b, np.float32(0.5 * ratio))])


def multiplied(shift: float) -> Made:
    """A product with a tensor that is so far off."""
    case = fresh()
    a, b = (case.input((1, 1), Interval.of(0, 1)) for _ in range(2))
    y = case.op("Add", [case.op("Mul", [a, case.constant(1)])[0], case.constant(shift)])[0]
    return case, case.op("Mul", [y, b])


def averaged(width: int) -> Made:
    """A mean of up to `width` elements, fewer at the border."""
    case = fresh()
    x = case.input((1, 1, width + 2), Interval.of(0, 1))
    return case, case.op("AveragePool", [x], kernel_shape=[width], pads=[2, 0])


def enlarged(factor: int) -> Made:
    case = fresh()
    x = case.input((1, 1, 2), Interval.of(0, 2))
    rule = {"coordinate_transformation_mode": "half_pixel"}
    return case, case.op("Resize", [x, "", case.constant([1, 1, factor])], mode="linear", **rule)


@dataclass(frozen=True)
class Limit:
    """What is possible, what no longer is, and why."""

    make: Callable[[Any], Made]
    within: tuple[Any, ...]
    beyond: tuple[Any, ...]
    words: str


LIMITS = {
    "sums of a pool": Limit(summed, ((1 << 22) - 1,), (1 << 22,), "sums beyond 24 bits"),
    "integers of a Clip": Limit(
        clipped, (clip.MOST_STEPS + 1,), (clip.MOST_STEPS + 2,), "4098 integers are too many"
    ),
    "ratio of scales": Limit(
        added,
        (join.MAX_FACTOR, 1 / join.MAX_FACTOR, 255 / 256, 1 + 0.9 * join.EXACT, -3),
        (join.MAX_FACTOR + 1, 1 / 257, 1 + 3 * join.EXACT, 1000 / 999),
        "not small multiples of a common one",
    ),
    "shift of a factor": Limit(
        multiplied, (2.0**30, -(2.0**30), 3.0), (2.0**31, -(2.0**31), 0.5), "represent zero exactly"
    ),
    "counts of a mean": Limit(averaged, (4, 16), (19, 40), "no small common multiple"),
    "factors of an interpolation": Limit(enlarged, (1, 2, 16), (3, 32), "powers of two up to 16"),
}


@pytest.mark.parametrize("name", LIMITS)
def test_limits_hold_where_they_are(name: str) -> None:
    limit = LIMITS[name]
    for number in limit.within:
        case, outputs = limit.make(number)
        assert judged(case, outputs, exact=False) == "", number
    for number in limit.beyond:
        case, outputs = limit.make(number)
        assert limit.words in judged(case, outputs), number
    assert uneven.MOST == 4096


def test_grids_of_learned_scales_have_a_limit() -> None:
    bits = residual.MAX_FACTOR_BITS
    assert residual.grid_of((1.0, 2.0 ** -(bits - 1))) == ([1 << (bits - 1), 1], 2.0 ** -(bits - 1))
    with pytest.raises(Unsupported, match="more than 28 bits"):
        residual.grid_of((1.0, 2.0**-bits))
    assert residual.grid_of((0.0, 0.75, -0.5)) == ([0, 3, -2], 0.25)
    assert residual.grid_of((0.0, 0.0)) == ([0, 0], 1.0)


@pytest.mark.parametrize("outputs", [0, 1])
def test_weights_on_one_grid_have_a_limit(outputs: int) -> None:
    codes = np.array([[1, 3], [1, 3]]) if outputs else np.array([[1, 1], [3, 3]])
    most = weights.MOST_BITS - 2  # 3 has two bits
    for shift, fits in ((most, True), (most + 1, False)):
        scale = np.array([[1.0, 1.0], [2.0**shift, 2.0**shift]])
        scale = scale if outputs else scale.T
        if fits:
            found, grid = weights.on_one_grid(codes, scale, outputs)
            assert np.array_equal(found * grid, codes * scale)
        else:
            with pytest.raises(Unsupported, match="21 bits on a common grid"):
                weights.on_one_grid(codes, scale, outputs)


def test_weights_have_no_common_divisor() -> None:
    codes, scale = weights.primitive(np.array([[6, -4], [0, 2]]), np.array([0.5, 1.0]))
    assert codes.tolist() == [[3, -2], [0, 1]] and scale.tolist() == [1.0, 2.0]
    codes, scale = weights.primitive(np.zeros((2, 2), np.int64), np.array([0.5]))
    assert codes.tolist() == [[0, 0], [0, 0]] and scale.tolist() == [0.5]


WIDE = Interval.of((1 << 23) - 1, 1 << 23)
"""Twice as much no longer fits in float32."""


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("op", ["MatMul", "Conv", "Add", "Sub", "Mul", "Concat", "MaxPool", "Pad",
                                "Reshape", "Transpose", "Slice"])  # fmt: skip
def test_what_float32_does_not_hold_is_in_float64(op: str, wide: bool) -> None:
    """A sum of two tensors, in float64 where they are wide, goes through each operator."""
    case = fresh()
    shape = (1, 1, 1, 2) if op != "MatMul" else (1, 2)
    a = case.input(shape, WIDE if wide else Interval.of(3, 4))
    b = case.input(shape, Interval.of(-1, 3))
    x = case.op("Add", [a, case.op("Mul", [a, case.constant(2.0)])[0]])[0]
    x = case.op("Sub", [x, b])[0]
    if op == "MatMul":
        outputs = case.op(op, [x, case.weights(np.array([[1], [-2]]))])
    elif op == "Conv":
        w = case.weights(np.array([[[[3, -1]]]]))
        outputs = case.op(op, [x, w], kernel_shape=[1, 2], pads=[0, 1, 0, 0])
    elif op in ("Add", "Sub", "Mul"):
        outputs = case.op(op, [x, b])
    elif op == "Concat":
        outputs = [*case.op(op, [x, b], axis=2), *case.op(op, [b, x], axis=3)]
    elif op == "MaxPool":
        outputs = case.op(op, [case.form(x, -1.0)], kernel_shape=[1, 2])
    elif op == "Pad":
        outputs = case.op(op, [x, case.constant([0, 0, 0, 1, 0, 0, 0, 0], np.int64)])
    elif op == "Slice":
        numbers = ([1], [2], [3])
        outputs = case.op(op, [x, *(case.constant(n, np.int64) for n in numbers)])
    else:
        more = [case.constant([0, 2, 1], np.int64)] if op == "Reshape" else []
        moved = case.op(op, [x, *more], **({} if more else {"perm": [0, 3, 1, 2]}))[0]
        outputs = case.op("Add", [moved, moved])
    assert judged(case, outputs, exact=False) == ""
