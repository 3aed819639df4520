# SPDX-License-Identifier: Apache-2.0
"""From steps to tables, orders of scores, and sums of two integers: against plain evaluation at
every integer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnx.shape_inference import infer_shapes

from qnnc.compiler.errors import Unsupported
from qnnc.compiler.ir.edit import QNNC
from qnnc.compiler.ir.facts import Integer, set_integer
from qnnc.compiler.ir.operators.multi_threshold import table_codes
from qnnc.compiler.tails.bisection import MOST_ROUNDED, check_steps
from qnnc.compiler.tails.collect import Place, collect
from qnnc.compiler.tails.evaluate import evaluate
from qnnc.compiler.tails.evaluator import Steps
from qnnc.compiler.tails.order import order_map
from qnnc.compiler.tails.pairs import collect_pair, evaluate_pair
from qnnc.compiler.tails.scores import ScoreTail, collect_scores
from qnnc.compiler.tails.table import (
    SeveralAxes,
    along_one_axis,
    everywhere,
    falling_channels,
    is_rising,
    keeps_direction,
    make_table,
    mirrored,
)

Array = NDArray[np.int64]


def steps_of(codes: Sequence[Array], low: Sequence[int]) -> Steps:
    """Steps of functions that are given at every integer from `low` on."""
    at, to = [], []
    for own, least in zip(codes, low, strict=True):
        moves = np.flatnonzero(np.diff(own)) + 1
        at.append(least + moves)
        to.append(own[moves])
    return Steps(
        np.array(low),
        np.array([least + len(own) - 1 for own, least in zip(codes, low, strict=True)]),
        np.array([own[0] for own in codes]),
        tuple(at),
        tuple(to),
    )


def functions(rng: np.random.Generator, kind: str, count: int) -> list[Array]:
    """Random codes at some integers: rising, falling or any."""
    found = []
    for _ in range(count):
        size = int(rng.integers(1, 9))
        moves = rng.integers(0, 3, size) * (1 if rng.random() < 0.8 else 0)
        if kind == "any":
            moves = moves * rng.choice([-1, 1], size)
        codes = int(rng.integers(-3, 4)) + np.cumsum(moves)
        found.append(-codes if kind == "falling" else codes)
    return found


@pytest.mark.parametrize("kind", ["rising", "falling", "any"])
def test_tables_give_the_function_at_every_integer(kind: str) -> None:
    rng = np.random.default_rng(len(kind))
    for _ in range(60):
        codes = functions(rng, kind, int(rng.integers(1, 4)))
        if rng.random() < 0.3:
            codes = codes[:1] * 3
        low = rng.integers(-5, 6, len(codes)).tolist()
        low = low[:1] * len(codes) if len(codes) == 3 else low
        steps = steps_of(codes, low)
        moves = [np.diff(own) for own in codes]
        assert is_rising(steps) == all(np.all(m >= 0) for m in moves)
        assert keeps_direction(steps) == all(np.all(m >= 0) or np.all(m <= 0) for m in moves)
        fallen = [-m[m < 0].sum() for m in moves]
        risen = [m[m > 0].sum() for m in moves]
        falls = [f > 2 * r for f, r in zip(fallen, risen, strict=True)]
        assert falling_channels(steps).tolist() == falls
        table = make_table(steps, -1)
        assert (table.values is None) == is_rising(steps)
        alike = len({(tuple(c), least) for c, least in zip(codes, low, strict=True)}) == 1
        assert not alike or len(table.thresholds) == 1
        for c, (own, least) in enumerate(zip(codes, low, strict=True)):
            x = np.repeat(np.arange(least, least + len(own))[:, None], len(codes), axis=1)
            assert table_codes(table, x)[:, c].tolist() == own.tolist()
        most = max(len(own) for own in steps.at)
        top, base = max(c.max() for c in codes), min(c.min() for c in codes)
        width = top - base if table.values is None else most
        assert table.thresholds.shape[1] == max(1, width)
        assert np.all(np.diff(table.thresholds, axis=1) >= 0)
        # a threshold out of reach is one above the range, no further
        assert np.all(table.thresholds <= steps.high.max() + 1)


@pytest.mark.parametrize(
    ("greatest", "thresholds"), [(4095, 4095), (4096, 4096), (4097, 2), (2**31 - 1, 2)]
)
def test_what_jumps_over_many_codes_has_values(greatest: int, thresholds: int) -> None:
    own = np.array([0, 1, 1, greatest])
    table = make_table(steps_of([own], [-2]), -1)
    assert table.thresholds.shape == (1, thresholds)
    assert table_codes(table, np.arange(-2, 2)[:, None])[:, 0].tolist() == own.tolist()


def test_a_mirrored_function_is_that_of_what_is_left() -> None:
    rng = np.random.default_rng(3)
    for _ in range(60):
        codes = functions(rng, "any", 3)
        low = rng.integers(-5, 6, 3).tolist()
        about, flags = int(rng.integers(-9, 10)), rng.random(3) < 0.6
        found = mirrored(steps_of(codes, low), flags, about)
        turned = [own[::-1] if flag else own for own, flag in zip(codes, flags, strict=True)]
        starts = [
            about - (least + len(own) - 1) if flag else least
            for own, least, flag in zip(codes, low, flags, strict=True)
        ]
        assert_same(found, steps_of(turned, starts))


def assert_same(found: Steps, wanted: Steps) -> None:
    for mine, theirs in zip(
        (found.low, found.high, found.first), (wanted.low, wanted.high, wanted.first), strict=True
    ):
        assert mine.tolist() == theirs.tolist()
    for mine_, theirs_ in ((found.at, wanted.at), (found.to, wanted.to)):
        assert [a.tolist() for a in mine_] == [a.tolist() for a in theirs_]


def test_steps_along_one_axis_are_those_of_every_element() -> None:
    rng = np.random.default_rng(4)
    for _ in range(60):
        shape = tuple(rng.integers(1, 4, 3).tolist())
        axis = int(rng.integers(3))
        kinds = functions(rng, "any", shape[axis])
        numbers = np.arange(shape[axis]).reshape([-1 if i == axis else 1 for i in range(3)])
        chosen = np.broadcast_to(numbers, shape).ravel()
        whole = steps_of([kinds[i] for i in chosen], [0] * chosen.size)
        found, along = along_one_axis(whole, shape)
        again = np.broadcast_to(
            np.arange(shape[along]).reshape([-1 if i == 3 + along else 1 for i in range(3)]), shape
        ).ravel()
        assert len(found.at) == shape[along]
        for place, own in zip(again, range(chosen.size), strict=True):
            assert found.at[place].tolist() == whole.at[own].tolist()
            assert found.first[place] == whole.first[own]
    different = steps_of([np.array([i, i + 1]) for i in range(4)], [0] * 4)
    with pytest.raises(SeveralAxes):
        along_one_axis(different, (2, 2))


# --- tails evaluated ----------------------------------------------------------------------------


def graph_of(
    nodes: list[tuple[str, list[str], str, dict[str, Any]]],
    constants: dict[str, Any],
    anchors: dict[str, tuple[tuple[int, ...], Any, Any]],
    end: str,
) -> ir.Model:
    """Operators from integer inputs (shape, low, high) to a tensor; a Floor gives codes."""
    made = [helper.make_node(op, i, [o], f"n_{o}", **a) for op, i, o, a in nodes]
    proto = helper.make_model(
        helper.make_graph(
            made,
            "tail",
            [helper.make_tensor_value_info(n, 1, s) for n, (s, _, _) in anchors.items()],
            [helper.make_tensor_value_info(end, TensorProto.FLOAT, None)],
            [numpy_helper.from_array(np.asarray(a, np.float32), n) for n, a in constants.items()],
        ),
        opset_imports=[helper.make_opsetid("", 20), helper.make_opsetid(QNNC, 1)],
        ir_version=9,
    )

    model = ir.from_proto(infer_shapes(proto))
    for value in model.graph.inputs:
        _, low, high = anchors[str(value.name)]
        set_integer(value, Integer.of(low, high))
    return model


def ended(model: ir.Model) -> ir.Value:
    """The output, as a quantizer's code."""
    value = model.graph.outputs[0]
    set_integer(value, Integer.of(-99, 99, quantized=True))
    return value


LINE = [("Mul", ["x", "s"], "a", {}), ("Add", ["a", "b"], "c", {}), ("Floor", ["c"], "y", {})]


@pytest.mark.parametrize("limit", [23, 24])
def test_up_to_a_limit_every_integer_is_looked_at(limit: int) -> None:
    """Three channels of eight integers."""
    constants = {"s": [0.5, -0.25, 1.0], "b": [0.0, 0.5, -0.5]}
    model = graph_of(LINE, constants, {"x": ((1, 3), -3, 4)}, "y")
    found = evaluate(model, collect(ended(model)), limit, 100)
    assert found.exhaustive == (limit == 24)
    x = np.arange(-3, 5)
    rows = np.float32(x[:, None]) * np.float32(constants["s"]) + np.float32(constants["b"])
    assert_same(found, steps_of(list(np.floor(rows).T.astype(int)), [-3] * 3))


@pytest.mark.parametrize("limit", [1 << 20, 10])
def test_a_channel_may_have_a_range_of_its_own(limit: int) -> None:
    constants = {"s": [[[0.5]], [[-0.25]]], "b": 0.0}
    low, high = np.array([[[-3]], [[2]]]), np.array([[[4]], [[5]]])
    model = graph_of(LINE, constants, {"x": ((1, 2, 2, 3), low, high)}, "y")
    tail = collect(ended(model))
    assert (tail.place, tail.axes, tail.exclusive) == (Place.AFTER, (-3,), True)
    found = evaluate(model, tail, limit, 100)
    codes = [np.floor(np.arange(-3, 5) * 0.5), np.floor(np.arange(2, 6) * -0.25)]
    assert_same(found, steps_of([c.astype(int) for c in codes], [-3, 2]))
    spread = everywhere(found, tail)
    assert [a.tolist() for a in spread.at] == [found.at[0].tolist()] * 6 + [
        found.at[1].tolist()
    ] * 6


@pytest.mark.parametrize("most", [10, 11])
def test_as_many_steps_as_are_allowed(most: int) -> None:
    """Of a tail with eleven."""
    constants = {"s": 1.0, "b": 0.0}
    model = graph_of(LINE, constants, {"x": ((1, 1), 0, 11)}, "y")
    tail = collect(ended(model))
    if most == 11:
        assert len(evaluate(model, tail, 1 << 20, most).at[0]) == 11
    else:
        with pytest.raises(Unsupported, match="11 thresholds per channel, 10 are the most"):
            evaluate(model, tail, 1 << 20, most)
    check_steps(most, most)
    with pytest.raises(Unsupported, match="quantize to 3 bits"):
        check_steps(most + 1, most)


def chain(ops: Sequence[str]) -> list[tuple[str, list[str], str, dict[str, Any]]]:
    found: list[tuple[str, list[str], str, dict[str, Any]]] = [("Mul", ["x", "s"], "a0", {})]
    for index, op in enumerate(ops):
        found.append((op, [f"a{index}"], f"a{index + 1}", {}))
    found.append(("Mul", [f"a{len(ops)}", "t"], "z", {}))
    return [*found, ("Floor", ["z"], "y", {})]


@pytest.mark.parametrize(
    ("ops", "words"),
    [
        (["Tanh"] * (MOST_ROUNDED + 1), "more than 4 functions that are rounded"),
        (["Sin"], "not known to be monotone"),
        (["Tanh", "Abs"], "turns round after another function"),
        (["Abs"] * 7, "turns round after another function"),
    ],
)
def test_what_is_too_large_says_why(ops: list[str], words: str) -> None:
    model = graph_of(chain(ops), {"s": 0.01, "t": 8.0}, {"x": ((1, 1), -999, 1000)}, "y")
    with pytest.raises(Unsupported, match=words) as error:
        evaluate(model, collect(ended(model)), 100, 100)
    assert "range of 2000 integers is too large" in str(error.value)


@pytest.mark.parametrize(
    "ops", [["Tanh"] * MOST_ROUNDED, ["Abs"] * 6, ["Abs", "Neg", "Gelu"], ["Neg", "HardSwish"],
            ["Mish"], ["Abs", "Abs", "Tanh"], ["Exp", "Neg", "Sigmoid"]]
)  # fmt: skip
def test_pieces_are_bisected_as_the_whole_is_evaluated(ops: list[str]) -> None:
    for scale, low, high in ((0.01, -500, 420), (-0.013, -300, 300), (0.02, 5, 400)):
        nodes = chain(ops)
        constants = {"s": [scale, -scale, 3 * scale], "t": [16.0, -9.0, 4.0]}
        if any(op in ("Gelu", "Mish", "HardSwish") for op in ops):
            constants["t"] = [60.0, -90.0, 44.0]
        anchors = {"x": ((1, 3), low, high)}
        results = []
        for limit in (1 << 20, 10):
            model = graph_of(nodes, constants, anchors, "y")
            results.append(evaluate(model, collect(ended(model)), limit, 2000))
        assert results[0].exhaustive and not results[1].exhaustive
        assert_same(results[1], results[0])


# --- orders of scores ---------------------------------------------------------------------------


def score_tail(scale: Array, offset: Array, low: Any, high: Any) -> tuple[ir.Model, ScoreTail]:
    classes = max(len(scale), len(offset))
    x = ir.Value(name="x", shape=ir.Shape([1, classes]), type=ir.TensorType(ir.DataType.FLOAT))
    set_integer(x, Integer.of(low, high))
    model = ir.Model(ir.Graph([x], [], nodes=[], name="g", opset_imports={"": 18}), ir_version=9)
    return model, ScoreTail(x, np.asarray(scale, float), np.asarray(offset, float), classes)


@pytest.mark.parametrize("own", [False, True])
def test_integers_are_ordered_as_their_scores(own: bool) -> None:
    rng = np.random.default_rng(own)
    found = 0
    for _ in range(60):
        classes = int(rng.integers(2, 5))
        scale = rng.choice([0.5, 1.0, 0.75, 2.0], classes) if own else np.array([rng.normal()])
        offset = rng.choice([0.0, 0.5, -1.25, 3.0, rng.normal()], classes)
        low, high = -3, int(rng.integers(-2, 4))
        model, tail = score_tail(scale, offset, low, high)
        try:
            order = order_map(model, tail, 1000, 12)
        except Unsupported as error:
            assert own and "12-bit" in str(error)
            continue
        found += 1
        x = np.array(np.meshgrid(*[np.arange(low, high + 1)] * classes)).reshape(classes, -1).T
        exact = x * scale + offset
        mapped = x * order.factor + order.addend
        a, b = np.triu_indices(classes, 1)
        apart = np.abs(exact[:, a] - exact[:, b]) > 1e-5
        same = np.sign(exact[:, a] - exact[:, b]) == np.sign(mapped[:, a] - mapped[:, b])
        assert np.all(same | ~apart)
        if np.all(scale == scale[0]):
            parts = len(set((offset / abs(scale[0]) % 1).tolist()))
            assert abs(int(order.factor[0])) == 1 << (parts - 1).bit_length()
            if len(set(offset.tolist())) == 1:
                assert order.addend.tolist() == [0]
    assert found > 30


def test_scores_that_cannot_all_be_tried_are_refused() -> None:
    model, tail = score_tail(np.array([1.0, 0.5]), np.zeros(2), -4, 3)
    assert order_map(model, tail, 16, 8) is not None
    with pytest.raises(Unsupported, match="too wide a range"):
        order_map(model, tail, 15, 8)
    model, tail = score_tail(np.array([1.0, 0.7031]), np.zeros(2), -400, 400)
    with pytest.raises(Unsupported, match="no 4-bit scale"):
        order_map(model, tail, 9999, 4)


def test_the_least_factors_are_taken() -> None:
    model, tail = score_tail(np.array([3.0, 1.5, 0.75]), np.zeros(3), -4, 3)
    assert order_map(model, tail, 1000, 16).factor.tolist() == [7, 4, 2]


SCORES: dict[str, tuple[list[tuple[str, list[str], str, dict[str, Any]]], str]] = {
    "affine": ([("Mul", ["x", "s"], "a", {}), ("Sub", ["b", "a"], "y", {})], ""),
    "rising": ([("Mul", ["x", "s"], "a", {}), ("Tanh", ["a"], "y", {})], ""),
    "softmax": ([("Add", ["x", "b"], "a", {}), ("Softmax", ["a"], "y", {"axis": -1})], ""),
    "softmax by number": ([("Add", ["x", "b"], "a", {}), ("Softmax", ["a"], "y", {"axis": 1})], ""),
    "other axis": ([("Softmax", ["x"], "y", {"axis": 0})], "may change their order"),
    "flat": ([("LeakyRelu", ["x"], "y", {"alpha": 0.0})], "may change their order"),
    "steep": ([("LeakyRelu", ["x"], "y", {"alpha": 0.5})], ""),
    "relu": ([("Relu", ["x"], "y", {})], "may change their order"),
    "turning": ([("Abs", ["x"], "y", {})], "may change their order"),
    "after": ([("Tanh", ["x"], "a", {}), ("Mul", ["a", "s"], "y", {})], "after a nonlinear"),
    "several": ([("Add", ["x", "z"], "y", {})], "mixes several tensors"),
}


@pytest.mark.parametrize("name", SCORES)
def test_what_may_stand_before_labels(name: str) -> None:
    nodes, words = SCORES[name]
    constants = {"s": np.array([2.0, 0.5, 1.0]), "b": np.array([[1.0, 0.0, -1.0]])}
    anchors = {"x": ((1, 3), -3, 3)}
    if name == "several":
        anchors["z"] = ((1, 3), -3, 3)
    model = graph_of(nodes, constants, anchors, "y")
    if words:
        with pytest.raises(Unsupported, match=words):
            collect_scores(model.graph.outputs[0])
        return
    tail = collect_scores(model.graph.outputs[0])
    assert tail.anchor is model.graph.inputs[0] and tail.classes == 3
    scale, offset = {
        "affine": (-constants["s"], constants["b"][0]),
        "rising": (constants["s"], [0.0]),
        "softmax": ([1.0], constants["b"][0]),
        "softmax by number": ([1.0], constants["b"][0]),
        "steep": ([1.0], [0.0]),
    }[name]
    assert np.array_equal(np.broadcast_to(tail.scale, 3), np.broadcast_to(scale, 3))
    assert np.array_equal(np.broadcast_to(tail.offset, 3), np.broadcast_to(offset, 3))


# --- two integers -------------------------------------------------------------------------------


PAIR = [
    ("Mul", ["x", "s"], "a", {}),
    ("Div", ["z", "t"], "b", {}),
]


@pytest.mark.parametrize("op", ["Add", "Sub"])
def test_two_integers_on_one_scale(op: str) -> None:
    rng = np.random.default_rng(len(op))
    found = 0
    for _ in range(25):
        s, t = float(rng.choice([0.5, 0.375, -1.0, 1.25])), float(rng.choice([2.0, 3.0, -0.5]))
        scale = float(rng.choice([0.4, 1.0]))
        nodes = [*PAIR, (op, ["a", "b"], "c", {}), ("Mul", ["c", "u"], "d", {})]
        nodes.append(("Floor", ["d"], "y", {}))
        low = rng.integers(-4, 1, 2)
        high = low + rng.integers(1, 6, 2)
        anchors = {n: ((1, 2), int(low[i]), int(high[i])) for i, n in enumerate("xz")}
        model = graph_of(nodes, {"s": s, "t": t, "u": scale}, anchors, "y")
        tail = collect_pair(ended(model))
        size = int(np.prod(high - low + 1))
        with pytest.raises(Unsupported, match="quantize both before they meet"):
            evaluate_pair(model, tail, size - 1)
        try:
            table = evaluate_pair(model, tail, size)
        except Unsupported:
            continue
        found += 1
        order = ["xz".index(str(v.name)) for v in tail.anchors]
        a, b = np.meshgrid(*(np.arange(low[i], high[i] + 1) for i in order), indexing="ij")
        sums = (a * table.factors[0] + b * table.factors[1]).ravel()
        assert (sums.min(), sums.max()) == (table.low, table.high)
        x, z = (a, b) if order[0] == 0 else (b, a)
        first, second = np.float32(x) * np.float32(s), np.float32(z) / np.float32(t)
        both = first + second if op == "Add" else first - second
        codes = np.floor(both.astype(np.float32) * np.float32(scale)).astype(int).ravel()
        assert table_codes(table.table, sums[:, None])[:, 0].tolist() == codes.tolist()
        reachable = table.table.thresholds
        assert np.all(np.diff(reachable) >= 0) and np.all(reachable <= table.high + 1)
        assert reachable.shape == (1, max(1, codes.max() - codes.min()))
    assert found > 8


@pytest.mark.parametrize(
    ("constants", "words"),
    [
        ({"s": 0.0, "t": 1.0, "u": 1.0}, "multiplied by zero"),
        ({"s": [0.5, 1.0], "t": 1.0, "u": 1.0}, "differ among channels"),
    ],
)
def test_two_integers_that_do_not_meet(constants: dict[str, Any], words: str) -> None:
    nodes = [*PAIR, ("Add", ["a", "b"], "c", {}), ("Mul", ["c", "u"], "d", {})]
    nodes.append(("Floor", ["d"], "y", {}))
    anchors = {"x": ((1, 2), -3, 3), "z": ((1, 2), -3, 3)}
    model = graph_of(nodes, constants, anchors, "y")
    with pytest.raises(Unsupported, match=words):
        evaluate_pair(model, collect_pair(ended(model)), 1000)
