# SPDX-License-Identifier: Apache-2.0
"""Intervals against brute force: every tensor of inputs within their bounds is tried.

The operators themselves are ONNX Runtime's; the bounds differ from element to element, and many
leave out zero.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from qnnc.compiler.errors import Unsupported
from qnnc.compiler.integer.window import Window
from qnnc.compiler.integer.windowed import (
    convolve,
    convolve_partial,
    max_pool,
    sees_only_padding,
    sum_pool,
)
from qnnc.compiler.ir import intervals
from qnnc.compiler.ir.intervals import Interval

Array = NDArray[Any]
DRAWS = 60
MOST = 4000
"""Combinations of inputs tried."""


def run(op: str, inputs: Sequence[Array], constants: Sequence[Array], **attributes: Any) -> Array:
    """An operator on tensors [combinations, …], in float64 where ONNX Runtime can."""
    names = [f"x{i}" for i in range(len(inputs))]
    fixed = [numpy_helper.from_array(a, f"c{i}") for i, a in enumerate(constants)]
    kind = helper.np_dtype_to_tensor_dtype(inputs[0].dtype)
    graph = helper.make_graph(
        [helper.make_node(op, [*names, *(t.name for t in fixed)], ["y"], **attributes)],
        "one",
        [
            helper.make_tensor_value_info(n, kind, a.shape)
            for n, a in zip(names, inputs, strict=True)
        ],
        [helper.make_tensor_value_info("y", kind, None)],
        fixed,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, dict(zip(names, inputs, strict=True)))[0])


def draw(rng: np.random.Generator, shape: Sequence[int]) -> Interval:
    """Bounds for a tensor [1, …]: whole, by channel or by element, around or beside zero."""
    kind = rng.integers(3)
    varied = [int(s) if kind == 2 or (kind == 1 and i == 1) else 1 for i, s in enumerate(shape)]
    low = rng.integers(-4, 5, varied)
    if rng.random() < 0.4:
        low = np.abs(low) + 1
    elif rng.random() < 0.4:
        low = -np.abs(low) - 3
    return Interval.of(low, low + rng.integers(0, 3, varied))


def combinations(rng: np.random.Generator, x: Interval, shape: Sequence[int]) -> Array:
    """Every tensor within the bounds, or many of them, all their corners first."""
    full = x.spread(shape)
    low, high = full.low.reshape(-1), full.high.reshape(-1)
    if np.prod((high - low + 1).astype(float)) <= MOST:
        choices = [range(a, b + 1) for a, b in zip(low, high, strict=True)]
        found = np.array(list(itertools.product(*choices)))
    else:
        found = np.concatenate(
            [
                rng.integers(low, high + 1, (MOST, low.size)),
                np.where(rng.random((MOST, low.size)) < 0.5, low, high),
            ]
        )
    return found.reshape(-1, *shape[1:])


def is_complete(x: Interval, shape: Sequence[int]) -> bool:
    full = x.spread(shape)
    return bool(np.prod((full.high - full.low + 1).astype(float)) <= MOST)


def check(found: Interval, reached: Array, exact: bool) -> None:
    """Nothing reached lies outside, and the ends are reached where the interval is exact."""
    shape = (1, *reached.shape[1:])
    full = found.spread(shape)
    values = np.rint(reached).astype(np.int64)
    assert np.all(values >= full.low)
    assert np.all(values <= full.high)
    if exact:
        # one interval may stand for several elements: its ends are those of some of them
        least, greatest = values.min(axis=0, keepdims=True), values.max(axis=0, keepdims=True)
        rank = len(shape)
        for bound, own, pick in ((found.low, least, np.min), (found.high, greatest, np.max)):
            whole = bound.reshape((1,) * (rank - bound.ndim) + bound.shape)
            merged = tuple(i for i, size in enumerate(whole.shape) if size == 1)
            assert np.array_equal(pick(own, axis=merged, keepdims=True), whole)


def window(rng: np.random.Generator, rank: int, kernel: Sequence[int], padded: bool) -> Any:
    """Attributes of a sliding window that fits, and the image's size."""
    strides = rng.integers(1, 3, rank).tolist()
    dilations = rng.integers(1, 3, rank).tolist()
    pads = rng.integers(0, 2, 2 * rank) if padded else np.zeros(2 * rank, dtype=int)
    pads = [min(int(p), kernel[i % rank] - 1) for i, p in enumerate(pads)]
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    image = [
        max(1, r - pads[i] - pads[i + rank] + int(rng.integers(0, 2))) for i, r in enumerate(reach)
    ]
    return {"strides": strides, "dilations": dilations, "pads": pads}, image


def as_window(image: Sequence[int], kernel: Sequence[int], a: dict[str, Any]) -> Window:
    rank = len(image)

    def pair(values: Sequence[int], filler: int) -> tuple[int, int]:
        return (filler, int(values[0])) if rank == 1 else (int(values[0]), int(values[1]))

    fields = (image, kernel, a["strides"], a["dilations"], a["pads"][:rank], a["pads"][rank:])
    return Window(*(pair(v, f) for v, f in zip(fields, (1, 1, 1, 1, 0, 0), strict=True)))


@pytest.mark.parametrize("seed", range(3))
def test_convolutions(seed: int) -> None:
    rng = np.random.default_rng(seed)
    complete = 0
    for _ in range(DRAWS):
        rank, group = int(rng.integers(1, 3)), int(rng.integers(1, 3))
        per_group, outputs = int(rng.integers(1, 3)), group * int(rng.integers(1, 3))
        kernel = rng.integers(1, 3, rank).tolist()
        attributes, image = window(rng, rank, kernel, padded=bool(rng.random() < 0.6))
        shape = (1, per_group * group, *image)
        x = draw(rng, shape)
        codes = rng.integers(-3, 4, (outputs, per_group, *kernel))
        found = convolve(x, shape, codes, as_window(image, kernel, attributes), group)
        inputs = combinations(rng, x, shape).astype(np.float32)
        reached = run("Conv", [inputs], [codes.astype(np.float32)], group=group, **attributes)
        complete += is_complete(x, shape)
        check(found, reached, is_complete(x, shape))
        whole = as_window(image, kernel, attributes)
        inner = convolve_partial(x, shape, codes, whole, group)
        assert inner.least <= min(0, found.least)
        assert inner.greatest >= max(0, found.greatest)
    assert complete > DRAWS // 2


@pytest.mark.parametrize("op", ["MaxPool", "AveragePool"])
def test_pools(op: str) -> None:
    rng = np.random.default_rng(7)
    complete = 0
    for _ in range(DRAWS):
        rank = int(rng.integers(1, 3))
        kernel = rng.integers(1, 3, rank).tolist()
        attributes, image = window(rng, rank, kernel, padded=bool(rng.random() < 0.6))
        if op == "AveragePool":
            attributes["dilations"] = [1] * rank
            image = [i + 2 for i in image]
        shape = (1, int(rng.integers(1, 3)), *image)
        x, geometry = draw(rng, shape), as_window(image, kernel, attributes)
        inputs = combinations(rng, x, shape).astype(np.float32)
        complete += is_complete(x, shape)
        if op == "MaxPool" and sees_only_padding(geometry):
            continue
        if op == "MaxPool":
            found = max_pool(x, shape, geometry)
            reached = run(op, [inputs], [], kernel_shape=kernel, **attributes)
        else:
            found = sum_pool(x, shape, geometry)
            del attributes["dilations"]
            reached = run(
                op, [inputs], [], kernel_shape=kernel, count_include_pad=1, **attributes
            ) * np.prod(kernel)
        check(found, reached, is_complete(x, shape))
    assert complete > DRAWS // 4


def test_products() -> None:
    rng = np.random.default_rng(1)
    for _ in range(DRAWS):
        shape = (1, *rng.integers(1, 3, int(rng.integers(0, 2))).tolist(), int(rng.integers(1, 4)))
        x = draw(rng, shape)
        weights = rng.integers(-3, 4, (shape[-1], int(rng.integers(1, 4))))
        inputs = combinations(rng, x, shape).astype(np.float64)
        reached = run("MatMul", [inputs], [weights.astype(np.float64)])
        check(intervals.matmul(x, weights), reached, is_complete(x, shape))
        inner = intervals.partial_sums(x, weights)
        terms = inputs[..., None] * weights
        for order in (rng.permutation(shape[-1]) for _ in range(3)):
            check(inner, np.cumsum(terms[..., order, :], axis=-2)[..., -1, :], exact=False)
            for last in range(shape[-1]):
                check(inner, np.cumsum(terms[..., order, :], axis=-2)[..., last, :], exact=False)


def test_products_of_two() -> None:
    """Every pair of a vector and a matrix within their bounds, in every order of the terms."""
    rng = np.random.default_rng(2)
    complete = 0
    for _ in range(DRAWS):
        rows, k, m = (int(n) for n in rng.integers(1, 3, 3))
        shapes = (1, rows, k), (1, k, m)
        bounds = [draw(rng, shape) for shape in shapes]
        x, w = (combinations(rng, b, s) for b, s in zip(bounds, shapes, strict=True))
        pairs = rng.integers(0, [[len(x)], [len(w)]], (2, MOST))
        if len(x) * len(w) <= MOST:
            pairs = np.indices((len(x), len(w))).reshape(2, -1)
            complete += 1
        a, b = (choices[p].astype(np.float64) for choices, p in zip((x, w), pairs, strict=True))
        found = intervals.product_of_two(*bounds, k)
        check(found, run("MatMul", [a, b], []), len(x) * len(w) <= MOST)
        inner = intervals.product_of_two(*bounds, k, partial=True)
        terms = a[..., :, None] * b[:, None, :, :]
        for order in itertools.permutations(range(k)):
            sums = np.cumsum(terms[..., order, :], axis=-2)
            for last in range(k):
                check(inner, sums[..., last, :], exact=False)
    assert complete > DRAWS // 8
    with pytest.raises(Unsupported):
        intervals.product_of_two(Interval.of(0, 1 << 30), Interval.of(0, 1 << 20), 8)


@pytest.mark.parametrize("op", ["Add", "Mul"])
def test_two_tensors(op: str) -> None:
    rng = np.random.default_rng(2)
    function: Callable[[Interval, Interval], Interval] = (
        intervals.add if op == "Add" else intervals.multiply
    )
    for _ in range(DRAWS):
        shape = (1, *rng.integers(1, 3, 2).tolist())
        x, y = draw(rng, shape), draw(rng, shape)
        both = Interval.of(
            np.concatenate([x.spread(shape).low, y.spread(shape).low], axis=-1),
            np.concatenate([x.spread(shape).high, y.spread(shape).high], axis=-1),
        )
        whole = (*shape[:-1], 2 * shape[-1])
        inputs = combinations(rng, both, whole).astype(np.float64)
        left, right = np.split(inputs, 2, axis=-1)
        check(function(x, y), run(op, [left, right], []), is_complete(both, whole))
        if op == "Mul":
            check(intervals.squared(x), run(op, [left, left], []), is_complete(x, shape))


def test_constants_and_clips() -> None:
    rng = np.random.default_rng(3)
    for _ in range(DRAWS):
        shape = (1, *rng.integers(1, 3, 2).tolist())
        x, number = draw(rng, shape), rng.integers(-3, 4, (1, shape[1], 1))
        inputs, complete = combinations(rng, x, shape), is_complete(x, shape)
        check(intervals.scaled(x, number), inputs * number, complete)
        check(intervals.shifted(x, number), inputs + number, complete)
        first = int(rng.integers(-3, 3))
        last = first + int(rng.integers(0, 4))
        check(intervals.clipped(x, first, last), np.clip(inputs, first, last), complete)


def test_movement() -> None:
    rng = np.random.default_rng(4)
    for _ in range(DRAWS):
        shape = (1, *rng.integers(1, 3, 3).tolist())
        x = draw(rng, shape)
        inputs, complete = combinations(rng, x, shape), is_complete(x, shape)
        perm = [0, *(1 + rng.permutation(3)).tolist()]
        found = intervals.moved(x, shape, lambda a, perm=perm: a.transpose(perm))  # type: ignore[misc]
        check(found, inputs.transpose(perm), complete)
        flat = intervals.moved(x, shape, lambda a: a.reshape(1, -1))
        check(flat, inputs.reshape(len(inputs), -1), complete)


def test_tensors_side_by_side() -> None:
    rng = np.random.default_rng(5)
    for _ in range(DRAWS):
        axis = int(rng.integers(1, 4))
        shapes = [[1, 1, 2, 1] for _ in range(2)]
        for shape in shapes:
            shape[axis] = int(rng.integers(1, 4))
        parts = [draw(rng, shape) for shape in shapes]
        found = intervals.concat(parts, shapes, axis)
        full = [p.spread(s) for p, s in zip(parts, shapes, strict=True)]
        for bound, own in (
            (found.low, [f.low for f in full]),
            (found.high, [f.high for f in full]),
        ):
            joined = np.concatenate(own, axis=axis)
            assert np.array_equal(np.broadcast_to(bound, joined.shape), joined)


def test_what_does_not_fit_is_refused_and_does_not_wrap() -> None:
    wide = Interval.of(0, 1 << 40)
    with pytest.raises(Unsupported, match="52 bits"):
        intervals.multiply(wide, wide)
    with pytest.raises(Unsupported, match="52 bits"):
        intervals.matmul(wide, np.full((1 << 10, 1), 1 << 20, dtype=np.int64))
    geometry = Window((4, 4), (2, 2), (1, 1), (1, 1), (0, 0), (0, 0))
    with pytest.raises(Unsupported, match="52 bits"):
        convolve(wide, (1, 1, 4, 4), np.full((1, 1, 2, 2), 1 << 30, dtype=np.int64), geometry, 1)
    with pytest.raises(ValueError, match="below"):
        Interval.of(3, 2)
