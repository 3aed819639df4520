# SPDX-License-Identifier: Apache-2.0
"""What verification finds: sums off by more than float32 rounds, integers outside of their
ranges, in whatever portions the samples go through."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from benchmarks.cnn_networks import mobilenet, resnet8
from benchmarks.networks import MlpSpec, mlp
from benchmarks.qonnx_graph import QonnxGraph, Tensor
from qnnc.compiler.errors import VerificationError
from qnnc.compiler.ir.facts import Integer, integer, set_integer
from qnnc.compiler.passes.base import Pass
from qnnc.compiler.passes.manager import PassManager, describe
from qnnc.compiler.verification import Verifier, verifier
from qnnc.compiler.verification.bounds import rounding_bound
from qnnc.compiler.verification.compare import Outcome, compare_sums
from qnnc.compiler.verification.rearranged import compare_rearranged
from tests.support.build import compile_with_verifier

NETWORKS: dict[str, Callable[[], onnx.ModelProto]] = {
    "dense": lambda: mlp(MlpSpec((16, 12, 8), 3, 3, "relu", 3, seed=2)),
    "convolutions": lambda: resnet8(3, image=8),
    "depthwise": lambda: mobilenet(3, image=8, blocks=((6, 1), (8, 2))),
}
UNIT = 2.0**-24
"""Half of float32's epsilon: the largest relative error of one rounding."""


@pytest.fixture(scope="module", params=NETWORKS)
def compiled(request: pytest.FixtureRequest) -> tuple[ir.Model, Verifier]:
    return compile_with_verifier(NETWORKS[request.param](), samples=12)


def facts(model: ir.Model) -> list[tuple[ir.Value, Integer]]:
    values = [v for node in model.graph for v in node.outputs]
    return [(v, fact) for v in values if (fact := integer(v)) is not None]


def sums(model: ir.Model, check: Verifier) -> list[tuple[ir.Value, Integer]]:
    """Results of products that the golden graph has too."""
    units = [n for n in model.graph if n.op_type in ("MVAU", "VVAU")]
    found = [(n.outputs[0], integer(n.outputs[0])) for n in units]
    return [(v, f) for v, f in found if f is not None and f.golden in check.golden.tensors]


def largest_rounding(value: ir.Value) -> float:
    """What summing products in float32 may be off by, in the worst order: each of K - 1 additions
    and K products rounds what is at most the sum of all magnitudes. In units of the integers."""
    node = value.producer()
    assert node is not None
    x = integer(node.inputs[0])
    weights = node.inputs[1].const_value.numpy()
    assert x is not None
    terms = weights.shape[0] if node.op_type == "MVAU" else weights[0].size
    return float(2 * terms * UNIT * terms * np.abs(weights).max() * max(-x.low.min(), x.high.max()))


def test_a_sum_off_by_more_than_rounding_is_found(compiled: tuple[ir.Model, Verifier]) -> None:
    model, check = compiled
    assert check.check(model).mismatches == 0
    found = sums(model, check)
    assert found
    for value, fact in found:
        scale = float(np.abs(fact.scale).max())
        set_integer(value, fact.with_(offset=fact.offset + 16 * scale * largest_rounding(value)))
        outcome = check.check(model)
        assert outcome.first is not None and outcome.first.tensor == value.name
        assert "differs from the golden" in describe(outcome)
        set_integer(value, fact)


def test_no_order_of_summing_leaves_the_bound(compiled: tuple[ir.Model, Verifier]) -> None:
    """Sums of the largest products, one by one in float32 and in random orders, from either end
    of the operand's range: none is off by more than the bound, and some by a hundredth of it."""
    model, check = compiled
    rng, share = np.random.default_rng(0), []
    for value, fact in sums(model, check):
        node = value.producer()
        assert node is not None
        weights, x = node.inputs[1].const_value.numpy(), integer(node.inputs[0])
        assert x is not None
        rows = weights.T if node.op_type == "MVAU" else weights.reshape(len(weights), -1)
        bound = np.broadcast_to(rounding_bound(value, fact), (1, *value.shape[1:]))
        for channel in range(min(8, len(rows))):
            step = np.float32(0.1 * (channel + 1))
            limit = float(bound[..., channel].max() / np.abs(fact.scale).max() * step)
            for _ in range(20):
                row = rng.permutation(rows[channel])
                ends = rng.choice([float(x.low.min()), float(x.high.max())], row.size)
                total = np.float32(0)
                for product in (row * ends).astype(np.float32) * step:
                    total += product
                exact = float((row * ends).sum()) * float(step)
                assert abs(float(total) - exact) <= limit
                share.append(abs(float(total) - exact) / limit if limit else 0.0)
    assert max(share) > 0.01


def test_an_integer_outside_of_its_range_is_found(compiled: tuple[ir.Model, Verifier]) -> None:
    model, check = compiled
    everything = [(v, f) for v, f in facts(model) if int(f.high.max()) > int(f.low.min())]
    for value, fact in everything[:: max(1, len(everything) // 6)]:
        seen = _extremes(check, model, value)
        set_integer(value, fact.with_(high=np.full_like(fact.high, seen[1] - 1)))
        _refuses(check, model, value, seen[1])
        set_integer(value, fact.with_(low=np.full_like(fact.low, seen[0] + 1)))
        _refuses(check, model, value, seen[0])
        set_integer(value, fact)


@dataclass
class Extremes:
    """Least and greatest of one tensor."""

    value: ir.Value
    low: float = np.inf
    high: float = -np.inf

    def see(self, value: ir.Value, low: np.ndarray, high: np.ndarray) -> None:
        if value is self.value:
            self.low, self.high = min(self.low, low.min()), max(self.high, high.max())


def _extremes(check: Verifier, model: ir.Model, value: ir.Value) -> tuple[int, int]:
    seen = Extremes(value)
    assert check.check(model, seen).mismatches == 0
    return int(seen.low), int(seen.high)


def _refuses(check: Verifier, model: ir.Model, value: ir.Value, found: int) -> None:
    outcome = check.check(model)
    assert outcome.first is not None and outcome.first.outside is not None
    assert (outcome.first.tensor, outcome.first.found) == (value.name, found)
    node = value.producer()
    assert node is not None
    text = describe(outcome)
    assert f"tensor '{value.name}' of node '{node.name}' leaves its range" in text


def test_a_pass_that_narrows_a_range_too_far_fails_the_build() -> None:
    @dataclass
    class Narrow(Pass):
        """Claim that a sum is always 0."""

        name = "narrow"

        def run(self, model: ir.Model) -> bool:
            value, fact = next((v, f) for v, f in facts(model) if not f.quantized)
            set_integer(value, fact.with_(low=np.asarray(0), high=np.asarray(0)))
            return True

    model, check = compile_with_verifier(NETWORKS["dense"](), samples=4)
    with pytest.raises(VerificationError, match=r"after pass narrow, tensor .* leaves its range"):
        PassManager(check).run(model, [Narrow()])


def test_portions_make_no_difference(
    compiled: tuple[ir.Model, Verifier], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, check = compiled
    streams = [v for v, _ in facts(model)]
    whole, tensors = check.check_and_keep(model, streams, 7)
    for portion in (1, 5 * verifier.elements(streams)):
        monkeypatch.setattr(verifier, "PORTION", portion)
        for kept in (0, portion * check.samples * 8):  # golden tensors between two checks
            monkeypatch.setattr(verifier, "KEPT", kept)
            portioned = Verifier(check.golden, check.inputs)
            for _ in range(2):
                again, parts = portioned.check_and_keep(model, streams, 7)
                assert (again.samples, again.tensors) == (whole.samples, whole.tensors)
                assert again.mismatches == 0
                assert all(np.array_equal(parts[name], tensors[name]) for name in tensors)
    assert all(array.shape[0] == 7 for array in tensors.values())


INF, NAN = float("inf"), float("nan")


@pytest.mark.parametrize(
    ("mine", "golden", "wrong"),
    [
        ((INF, -INF, NAN, 1.0), (INF, -INF, NAN, 1.0), 0),
        ((1.0, 1.0, 1.0, 1.0), (INF, -INF, NAN, 1.0), 3),
        ((INF, -INF, NAN, 1.0), (1.0, 1.0, 1.0, 1.0), 3),
        ((INF, 2.0, 0.0, 1.0), (INF, 1.0, 0.0, 1.0), 1),  # infinity does not widen the rest
        ((-INF, 1.0, 0.0, 1.0), (INF, 1.0, 0.0, 1.0), 1),
    ],
)
@pytest.mark.filterwarnings("error")
def test_layers_that_overflow(
    mine: tuple[float, ...], golden: tuple[float, ...], wrong: int
) -> None:
    outcome = Outcome(1)
    compare_rearranged(outcome, "x", np.float32([mine]), np.float32([golden]))
    assert outcome.mismatches == wrong


@pytest.mark.parametrize("golden", [INF, -INF, NAN])
def test_a_golden_sum_that_is_not_finite_is_not_ours(golden: float) -> None:
    outcome = Outcome(1)
    compare_sums(
        outcome,
        "x",
        Integer.of(0, 9, 0.5, golden="x"),
        np.float32([[4, 5]]),
        np.float32([[2, golden]]),
        np.zeros(()),
    )
    assert outcome.mismatches == 1


def test_the_bound_counts_the_largest_of_all_channels() -> None:
    """Side by side -240 to 0 and 0 to 15: no sum is off by more than the bound, as a float32
    sum of so many products may be, each with half an epsilon."""
    g = QonnxGraph(3)
    high = g.quantize(g.input((4,)), 4, 1.0, signed=False).name
    low = g.op("Mul", [high, g.constant(-16.0)])[0]
    both = g.op("Concat", [low, high], axis=1)[0]
    y = Tensor(g.op("MatMul", [both, g.weights((8, 3), 4, axis=1)])[0], (3,))
    model, check = compile_with_verifier(g.model(g.quantize(y, 8, 4.0)), samples=4)
    node = next(node for node in model.graph if node.op_type == "MVAU")
    value = node.outputs[0] if integer(node.outputs[0]) is not None else node.inputs[0]
    assert value is not None
    fact, weights = integer(value), np.asarray(node.inputs[1].const_value)
    assert fact is not None
    largest = np.array([240] * 4 + [15] * 4)
    needed = 8 * 2.0**-24 * (largest @ np.abs(weights)) * np.abs(fact.scale)
    assert np.all(rounding_bound(value, fact).reshape(-1) >= needed.reshape(-1))
    assert check.check(model).mismatches == 0


def test_elements_that_a_tensor_lacks_are_the_golden_ones() -> None:
    golden = np.arange(12, dtype=np.float32).reshape(2, 2, 3)
    fact = Integer.of(0, 99).with_(order=np.array([4, 0, 5]))
    mine = fact.arranged(golden, (2, 1, 3))
    assert mine.tolist() == [[[4, 0, 5]], [[10, 6, 11]]]
    assert np.array_equal(fact.restored(mine, golden), golden)
    assert np.array_equal(fact.restored(-mine, golden) != golden, np.isin(golden, mine[mine > 0]))
