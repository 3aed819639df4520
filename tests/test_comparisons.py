# SPDX-License-Identifier: Apache-2.0
"""What is compared with what, and how far apart it may be: at the very numbers where it changes."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnx.shape_inference import infer_shapes

from qnnc.compiler.errors import ModelError
from qnnc.compiler.ir.edit import QNNC, QONNX, Editor
from qnnc.compiler.ir.facts import Integer, set_integer
from qnnc.compiler.verification import Golden, Outcome, Verifier
from qnnc.compiler.verification.bounds import rounding_bound
from qnnc.compiler.verification.compare import (
    FLOAT32_EPSILON,
    check_range,
    compare_codes,
    compare_labels,
    compare_sums,
    compare_values,
)
from qnnc.compiler.verification.coverage import Sum, figures
from qnnc.compiler.verification.first_layer import directed
from qnnc.compiler.verification.rearranged import RELATIVE, compare_rearranged
from qnnc.compiler.verification.verifier import elements, exact_values, integers, is_label
from qnnc.frontends.qonnx import from_proto

Array = NDArray[Any]
EPS = FLOAT32_EPSILON


def value(name: str = "x", shape: tuple[int, ...] = (1, 2)) -> ir.Value:
    return ir.Value(name=name, shape=ir.Shape(shape), type=ir.TensorType(ir.DataType.FLOAT))


# --- sums ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("offset", [0.0, -3.0])
def test_a_sum_may_be_off_by_the_bound_and_a_rounding_of_itself(offset: float, sign: int) -> None:
    fact = Integer.of(-9, 9, 0.5, offset, golden="g")
    found = np.array([[-7.0, 4.0]])
    exact = found * 0.5 + offset
    allowed = (np.abs(exact) + abs(offset)) * EPS + 0.25
    for factor, wrong in ((1.0, 0), (1 + 1e-9, 2)):
        outcome = Outcome(1)
        compare_sums(outcome, "t", fact, found, exact + sign * allowed * factor, np.array(0.25))
        assert (outcome.mismatches, outcome.tensors) == (wrong, 1)
        assert outcome.faulty.tolist() == [bool(wrong)]


def test_what_a_sum_should_have_been_is_said() -> None:
    outcome = Outcome(2)
    fact = Integer.of(-9, 9, [0.5, 0.0], [1.0, 2.0], golden="g")
    compare_sums(
        outcome, "t", fact, np.array([[1, 1], [2, 3]]), np.array([[1.5, 2], [4, 9]]), np.zeros(())
    )
    assert outcome.mismatches == 2 and outcome.faulty.tolist() == [False, True]
    first = outcome.first
    assert first is not None
    assert (first.tensor, first.golden, first.sample, first.element) == ("t", "g", 1, 0)
    assert (first.expected, first.found) == (6.0, 2.0)


def test_a_sample_that_went_its_own_way_is_not_held_against_golden_sums() -> None:
    outcome = Outcome(2)
    outcome.diverged[0] = True
    fact = Integer.of(-9, 9, golden="g")
    compare_sums(outcome, "t", fact, np.ones((2, 2)), np.zeros((2, 2)), np.zeros(()))
    assert outcome.mismatches == 2 and outcome.faulty.tolist() == [False, True]


# --- codes, labels, values ----------------------------------------------------------------------


def codes(found: Any, golden: Any, again: Any, diverged: bool = False) -> Outcome:
    outcome = Outcome(len(found))
    outcome.diverged[:] = diverged
    fact = Integer.of(-9, 9, 0.5, 1.0, golden="g", quantized=True)

    def replay() -> Array | None:
        return None if again is None else np.asarray(again) * 0.5 + 1.0

    theirs = np.asarray(golden, np.float32) * 0.5 + 1.0
    compare_codes(outcome, "t", fact, np.asarray(found, np.float32), theirs, replay)
    return outcome


@pytest.mark.parametrize(
    ("found", "golden", "again", "counts"),
    [
        ([[1, 2]], [[1, 2]], None, (0, 0, False)),
        ([[1, 2]], [[1, 2]], [[3, 3]], (0, 0, False)),  # not even asked for
        ([[1, 2]], [[1, 3]], [[1, 2]], (0, 1, True)),
        ([[1, 2]], [[0, 3]], [[1, 2]], (0, 2, True)),
        ([[1, 2]], [[1, 3]], [[1, 3]], (1, 0, True)),
        ([[1, 2]], [[1, 3]], None, (1, 0, True)),
        ([[1, 2]], [[1, 3]], [[5, 2]], (1, 1, True)),
    ],
)
def test_a_code_is_golden_or_follows_from_exact_sums(
    found: Any, golden: Any, again: Any, counts: tuple[int, int, bool]
) -> None:
    outcome = codes(found, golden, again)
    assert (outcome.mismatches, outcome.near_ties, bool(outcome.diverged[0])) == counts
    assert outcome.tensors == 1
    assert bool(outcome.faulty[0]) == (counts[0] > 0)


def test_near_ties_are_counted_once_for_a_sample_that_went_its_own_way() -> None:
    assert codes([[1, 2]], [[1, 3]], [[1, 2]], diverged=True).near_ties == 0
    assert codes([[1, 2]], [[1, 3]], [[1, 3]], diverged=True).mismatches == 1


def test_only_the_sample_that_differs_goes_its_own_way() -> None:
    outcome = codes([[1, 2], [4, 5], [7, 8]], [[1, 2], [4, 6], [7, 8]], [[1, 2], [4, 5], [7, 8]])
    assert outcome.diverged.tolist() == [False, True, False]
    assert outcome.faulty.tolist() == [False] * 3


@pytest.mark.parametrize(
    ("scores", "again", "wrong"),
    [
        ([0.5, 0.25, 0.125], [2], 0),  # follows from the exact sums
        ([0.5, 0.25, 0.125], [0], 1),
        ([0.5, 0.5, 0.5], [0], 0),  # tied
        ([1.0, 0.5, 1 - EPS], [0], 0),
        ([1.0, 0.5, 1 - 2 * EPS], [0], 1),
        (None, [0], 1),
        (None, [2], 0),
        ([0.5, 0.25, 0.125], None, 1),
    ],
)
def test_labels_whose_scores_tie_may_be_either(scores: Any, again: Any, wrong: int) -> None:
    outcome = Outcome(1)
    compare_labels(
        outcome,
        "t",
        np.array([[2]]),
        np.array([[0]]),
        lambda: None if again is None else np.array([again]),
        lambda: None if scores is None else np.array([scores]),
    )
    assert outcome.mismatches == wrong and outcome.near_ties == 1 - wrong


def test_outputs_are_compared_bit_by_bit() -> None:
    nan = float("nan")
    golden = np.array([[1.0, nan, 2.0]])
    for mine, again, wrong in (
        ([[1.0, nan, 2.0]], None, 0),
        ([[1.0, nan, np.nextafter(2.0, 3)]], None, 1),
        ([[1.0, 3.0, 2.0]], None, 1),
        ([[nan, nan, 2.0]], None, 1),
        ([[1.0, nan, 5.0]], [[1.0, nan, 5.0]], 0),
        ([[1.0, nan, 2.0]], [[1.0, nan, 5.0]], 1),
    ):
        outcome = Outcome(1)
        repeated = None if again is None else np.array(again)
        compare_values(outcome, "t", np.array(mine), golden, lambda r=repeated: r)  # type: ignore[misc]
        assert (outcome.mismatches, outcome.tensors) == (wrong, 1)


def test_layers_in_another_order_may_be_off_by_a_share_of_the_largest() -> None:
    golden = np.array([[8.0, -16.0, 0.0], [1.0, 0.0, 0.0]])
    for factor, wrong in ((1.0, 0), (1.001, 3)):
        outcome = Outcome(2)
        off = RELATIVE * np.array([[16.0], [0.0]]) * factor
        compare_rearranged(outcome, "t", golden + off, golden)
        assert (outcome.mismatches, outcome.tensors) == (wrong, 1)
        diverged = Outcome(2)
        diverged.diverged[0] = True
        compare_rearranged(diverged, "t", golden + off, golden)
        assert diverged.mismatches == 0
    for shape in ((2, 2), (1, 3), (3, 2)):
        with pytest.raises(ModelError, match="is not the batch"):
            compare_rearranged(Outcome(2), "t", np.zeros(shape), golden)


# --- ranges and portions ------------------------------------------------------------------------


def test_every_integer_is_held_against_its_own_range() -> None:
    fact = Integer.of([[-2, 0]], [[3, 1]], golden="g")
    x = value()
    for found, wrong in (
        ([[-2, 0], [3, 1]], 0),
        ([[-3, 0], [3, 1]], 1),
        ([[-2, 0], [4, 2]], 2),
        ([[-2, -1], [3, 1]], 1),
        ([[-2, 0], [float("nan"), 1]], 1),
    ):
        outcome, array = Outcome(2), np.array(found, dtype=float)
        low, high = check_range(outcome, x, fact, array)
        assert outcome.mismatches == wrong and outcome.tensors == 0
        assert low.shape == high.shape == (1, 2)
        assert np.array_equal(low[0], array.min(axis=0), equal_nan=True)
        assert np.array_equal(high[0], array.max(axis=0), equal_nan=True)
    outcome = Outcome(2)
    check_range(outcome, x, fact, np.array([[-2, 0], [3, 7]]))
    first = outcome.first
    assert first is not None and first.outside == (0.0, 1.0) and first.node == ""
    assert (first.sample, first.element, first.expected, first.found) == (1, 1, 1.0, 7.0)
    check_range(outcome, x, fact, np.array([[-5, 0], [3, 1]]))
    assert outcome.first is first and outcome.mismatches == 2


def test_portions_add_up() -> None:
    one, two, three = Outcome(2), Outcome(3), Outcome(1)
    one.tensors, two.tensors, two.near_ties, two.diverged[2] = 4, 5, 2, True
    bad = np.zeros((3, 4), dtype=bool)
    bad[1, 2] = bad[2, 0] = True
    two.record(bad, "t", "g", np.zeros((3, 4)), np.ones((3, 4)))
    three.record(np.ones((1, 1), bool), "u", "h", np.zeros((1, 1)), np.ones((1, 1)))
    whole = one.followed_by(two).followed_by(three)
    assert (whole.samples, whole.mismatches, whole.near_ties, whole.tensors) == (6, 3, 2, 5)
    assert whole.diverged.tolist() == [False] * 4 + [True, False]
    assert whole.faulty.tolist() == [False] * 3 + [True] * 3
    assert whole.first is not None
    assert (whole.first.tensor, whole.first.sample, whole.first.element) == ("t", 3, 2)


# --- how far float32 may round ------------------------------------------------------------------


def product(op: str, weights: Array, x: Integer, y: Integer, shape: tuple[int, ...]) -> Array:
    """The bound of an operator with constant weights."""
    source, domain = value("x", shape), QNNC if op == "IntegerConv" else ""
    set_integer(source, x)
    graph = ir.Graph([source], [], nodes=[], name="g", opset_imports={"": 18, QNNC: 1, QONNX: 1})
    editor = Editor(graph)
    w = editor.initializer("w", weights.astype(np.float32))
    out = editor.insert(None, op, [source, w], "y", domain=domain, shape=(1, *shape[1:]))
    return np.asarray(rounding_bound(out, y))


def test_the_bound_is_that_of_a_sum_of_so_many_products() -> None:
    """(K + 8) 2**-23 sum |x w|, as docs/architecture.md says; offsets count."""
    w = np.array([[3, -1], [0, 2], [-4, 5]])
    for low, high, scale, offset in ((-8, 7, 0.5, 0.0), (-3, 9, 0.25, 0.0), (0, 5, 0.5, -1.0)):
        x = Integer.of(low, high, scale, offset)
        largest = max(-low, high) + abs(offset) / scale
        for total, scales in ((Integer.of(-99, 99, 2.0), 2.0), (Integer.of(-99, 99, 2.0, 1.0), 2)):
            sums = np.abs(w).sum(axis=0) * largest + (3 if np.any(total.offset) else 0)
            expected = sums * scales * (3 + 8) * EPS
            assert np.allclose(product("MatMul", w, x, total, (1, 3)), expected, rtol=1e-12)
    kernel = np.array([[[[1, -2]], [[3, 0]]], [[[0, 1]], [[1, 1]]]])
    x = Integer.of(-4, 3, [[[0.0]], [[1.0]]], [[[3.0]], [[1.0]]])  # a scale of zero: all offset
    found = product("IntegerConv", kernel, x, Integer.of(-9, 9, -0.5), (1, 2, 2, 2))
    expected = np.array([6, 3]).reshape(2, 1, 1) * (4 + 3) * 0.5 * (4 + 8) * EPS
    assert found.shape == (2, 1, 1) and np.allclose(found, expected, rtol=1e-12)


def bound_of(nodes: list[tuple[str, list[str], str, dict[str, Any]]], facts: Any) -> float:
    """The bound of the last tensor of some operators, of which facts are known."""
    shapes = {"x": (1, 2, 4, 6)}
    graph = ir.Graph(
        [value("x", shapes["x"]), value("z", shapes["x"])],
        [],
        nodes=[],
        name="g",
        opset_imports={"": 18, QNNC: 1},
    )
    editor, known = Editor(graph), {str(v.name): v for v in graph.inputs}
    known["c"] = editor.initializer("c", np.float32([-3, 2]))
    for op, inputs, name, attributes in nodes:
        attributes = dict(attributes)
        shape = attributes.pop("shape", shapes["x"])
        operands = [known[n] for n in inputs]
        domain = QNNC if op == "SumPool" else ""
        known[name] = editor.insert(
            None, op, operands, name, attributes=attributes, shape=shape, domain=domain
        )
    for name, fact in facts.items():
        set_integer(known[name], fact)
    last = nodes[-1][2] if nodes else "x"
    return float(rounding_bound(known[last], facts[last]).max()) / EPS


def test_bounds_of_what_has_no_weights() -> None:
    x, z, y = Integer.of(-5, 3), Integer.of(0, 7), Integer.of(-40, 60, 0.5)
    reach_x, reach_y = 5 + 8, 60 + 100  # the largest, and the range
    assert bound_of([], {"x": x}) == reach_x * (1 + 8)
    kernel = {"kernel_shape": [2, 3]}
    pooled = bound_of([("SumPool", ["x"], "y", kernel)], {"x": x, "y": y})
    assert pooled == reach_y * 0.5 * (6 + 8)
    whole = [("GlobalAveragePool", ["x"], "y", {"shape": (1, 2, 1, 1)})]
    assert bound_of(whole, {"x": x, "y": y}) == reach_y * 0.5 * (24 + 8)
    other = [("Floor", ["x"], "y", {})]
    assert bound_of(other, {"x": x, "y": y}) == reach_y * 0.5 * (2 + 8)
    added = bound_of([("Add", ["x", "z"], "y", {})], {"x": x, "z": z, "y": y})
    assert added == (reach_y + reach_x + 14) * 0.5 * (3 + 8)
    shifted = bound_of([("Add", ["x", "c"], "y", {})], {"x": x, "c": z, "y": y})
    assert shifted == (reach_y + reach_x) * 0.5 * (2 + 8)
    scaled = bound_of([("Mul", ["x", "c"], "y", {})], {"x": x, "y": y})
    assert scaled == reach_x * 3 * 0.5 * (1 + 8)
    nested = [("Add", ["x", "z"], "a", {}), ("Reshape", ["a"], "y", {})]
    facts = {"x": x, "z": z, "a": Integer.of(-5, 10), "y": y}
    assert bound_of(nested, facts) == (reach_y + 25 + reach_x + 14) * 0.5 * (4 + 8)


# --- the golden graph ---------------------------------------------------------------------------


def network() -> Golden:
    """a = x W, b = a + 1, c = Relu(b), label = ArgMax(c)."""
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"], name="na"),
        helper.make_node("Add", ["a", "one"], ["b"], name="nb"),
        helper.make_node("Relu", ["b"], ["c"], name="nc"),
        helper.make_node("ArgMax", ["c"], ["y"], name="ny", axis=1, keepdims=0),
    ]
    weights = np.float32([[1, -1, 2], [0, 3, -2]])
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2])],
        [helper.make_tensor_value_info("y", TensorProto.INT64, [1])],
        [
            numpy_helper.from_array(weights, "w"),
            numpy_helper.from_array(np.float32(1), "one"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    return Golden(from_proto(infer_shapes(model)))


X = np.float32([[1, 2], [-3, 0.5], [0, 0]])


def test_the_golden_graph_keeps_sums_scores_and_outputs() -> None:
    golden = network()
    assert golden.tensors == {"x", "a", "b", "c", "y"}
    assert (golden.inputs, golden.outputs, golden.scores) == (["x"], ["y"], ["c"])
    found = golden.run({"x": X})
    a = X @ np.float32([[1, -1, 2], [0, 3, -2]])
    assert np.array_equal(found["a"], a) and np.array_equal(found["b"], a + 1)
    assert np.array_equal(found["c"], np.maximum(a + 1, 0))
    assert found["y"].ravel().tolist() == np.argmax(np.maximum(a + 1, 0), axis=1).tolist()
    assert set(golden.run({"x": X}, ["a"])) == {"a", "x"}


def test_golden_operators_start_from_what_is_nearest() -> None:
    golden = network()
    a, b = np.float32([[1, 2, 3]]), np.float32([[-7, 5, 1]])
    nearest = golden.replay({"a": a, "b": b}, "c")
    assert nearest is not None and nearest.tolist() == [[0, 5, 1]]
    first = golden.replay({"a": a}, "y")
    assert first is not None and first.ravel().tolist() == [2]
    assert golden.replay({"y": b}, "c") is None
    assert golden.replay({"b": b}, "b") is b
    assert golden.replay({"b": b}, "nothing") is None
    assert golden.replay({"x": X}, "a") is not None


@pytest.mark.parametrize(
    ("most", "names"),
    [(0, {"a"}), (3, {"a"}), (5, {"a"}), (6, {"a", "b"}), (9, {"a", "b", "c"}), (10, None)],
)
def test_the_first_golden_tensors_are_as_many_as_fit(most: int, names: set[str] | None) -> None:
    """Three elements each, and a label."""
    runner = network().first(most)
    assert (runner is None) == (names is None)
    if runner is not None:
        assert set(runner.run({"x": X})) == names


def test_exact_values_are_rounded_once() -> None:
    fact = Integer.of(-(1 << 30), 1 << 30, 1 / 3, 0.1)
    found = np.array([[123456789, -7]])
    exact = (found * np.float64(1 / 3) + 0.1).astype(np.float32)
    assert np.array_equal(exact_values(found, fact), exact)


def test_integers_that_depend_on_inputs() -> None:
    x = value("x")
    graph = ir.Graph([x], [], nodes=[], name="g", opset_imports={"": 18})
    editor = Editor(graph)
    c = editor.initializer("c", np.float32([1, 2]))
    fixed = editor.insert(None, "Neg", [c], "fixed", shape=(1, 2))
    y = editor.insert(None, "Add", [x, fixed], "y", shape=(1, 2))
    other = editor.insert(None, "Neg", [y], "other", shape=(1, 3, 2))
    for known in (x, c, fixed, other):
        set_integer(known, Integer.of(0, 3))
    model = ir.Model(graph, ir_version=9)
    assert integers(model) == [x, other]
    assert elements([x, y, other]) == 2 + 2 + 6
    label = editor.insert(None, "ArgMax", [y], "label")
    cast = editor.insert(None, "Cast", [label], "cast")
    shaped = editor.insert(None, "Reshape", [cast, c], "shaped")
    assert is_label(label) and is_label(cast) and is_label(shaped)
    assert not is_label(y) and not is_label(x)


@pytest.mark.parametrize(
    ("low", "high", "dtype"),
    [(0, 255, "uint8"), (0, 256, "uint16"), (-1, 127, "int16"), (-5, -1, "int8"),
     (-129, 5, "int16"), (-1, 200, "int16"), (0, 65536, "uint32")],
)  # fmt: skip
def test_kept_integers_are_as_narrow_as_they_can_be(low: int, high: int, dtype: str) -> None:
    x = value("x")
    set_integer(x, Integer.of(low, high, golden="x", quantized=True))
    graph = ir.Graph([x], [], nodes=[], name="g", opset_imports={"": 18})
    editor = Editor(graph)
    y = editor.insert(None, "Identity", [x], "y", shape=(1, 2))
    set_integer(y, Integer.of(low, high, golden="y", quantized=True))
    graph.outputs.append(y)
    model = ir.Model(graph, ir_version=9)
    inputs = {"x": np.float32([[low, high], [high, low], [high, high]])}
    check = Verifier(Golden(model), inputs)
    for keep, rows in ((2, 2), (9, 3), (0, 0)):
        outcome, kept = check.check_and_keep(model, [y], keep)
        assert outcome.mismatches == 0 and outcome.samples == 3
        assert str(kept["y"].dtype) == dtype
        assert kept["y"].tolist() == inputs["x"][:rows].tolist()


# --- how far samples went -----------------------------------------------------------------------


def test_coverage_against_counting() -> None:
    rng = np.random.default_rng(2)
    for _ in range(80):
        channels, steps = int(rng.integers(1, 4)), int(rng.integers(0, 5))
        low = rng.integers(-9, 3, channels)
        high = low + rng.integers(0, 30, channels)
        table = np.sort(rng.integers(-12, 30, (channels, steps)), axis=1)
        reachable = (table > low[:, None]) & (table <= high[:, None])
        table = np.where(reachable, table, high[:, None] + 1)
        total = Sum(value(), low, high, table)
        seen = [rng.integers(a, b + 1, 3) for a, b in zip(low, high, strict=True)]
        for part in (slice(1), slice(1, None)):
            some = np.stack(seen)[:, part]
            total.see(some.min(axis=1), some.max(axis=1))
        found = figures([total])
        crossed = sum(
            int(own.min() < t <= own.max())
            for own, row, fine in zip(seen, table, reachable, strict=True)
            for t, ok in zip(row, fine, strict=True)
            if ok
        )
        assert (found.thresholds, found.crossed) == (int(reachable.sum()), crossed)
        assert found.ends == 2 * channels and total.channels == channels
        reached = sum(
            int(own.min() == a) + int(own.max() == b)
            for own, a, b in zip(seen, low, high, strict=True)
        )
        assert found.ends_reached == reached
        shares = [
            (own.max() - own.min()) / (b - a) if b > a else 1.0
            for own, a, b in zip(seen, low, high, strict=True)
        ]
        assert found.range_seen == pytest.approx(float(np.mean(shares)))
        places = total.landmarks()
        for row, a, b, own in zip(places, low, high, table, strict=True):
            real = [p for p in row if p < 1 << 60]
            assert all(a < p <= b for p in real) and sorted(row) == row.tolist()
            if b > a:
                assert {a + 1, b} <= set(real)
                assert {t for t in own if a < t <= b} <= set(real)
                gaps = np.diff([a, *real, b])
                assert gaps.max() <= (b - a) / 8 + 2  # even steps between


def test_directed_inputs_bring_every_output_to_both_ends() -> None:
    rng = np.random.default_rng(5)
    for _ in range(30):
        outputs, size = int(rng.integers(1, 4)), int(rng.integers(2, 6))
        places = np.arange(1, size)[:, None] + np.arange(2)  # neighbours overlap
        windows = np.concatenate([places, np.zeros((len(places), 1), int)], axis=1)
        weights = rng.choice([-2.0, -1.0, 1.0, 3.0], (3, outputs))
        low = -rng.integers(1, 5, size).astype(np.float32)
        high = rng.integers(1, 5, size).astype(np.float32)
        found = directed(windows, weights, low, high, 50, rng)
        assert 1 <= len(found) <= 2 * outputs
        assert np.all((found == low) | (found == high))
        padded = np.concatenate([np.zeros((len(found), 1)), found], axis=1)
        sums = padded[:, windows] @ weights
        ends = []
        for bound, other in ((low, high), (high, low)):
            a, b = (np.concatenate([[0], e])[windows] for e in (bound, other))
            ends.append(a @ np.maximum(weights, 0) + b @ np.minimum(weights, 0))
        for output in range(outputs):
            for end in ends:
                assert np.any(sums[..., output] == end[:, output])
    assert len(directed(windows, weights, low, high, 1, rng)) == 1
    assert directed(windows, weights, low, high, 0, rng).shape == (0, size)
