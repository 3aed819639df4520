# SPDX-License-Identifier: Apache-2.0
"""Corner samples: what they reach, what they find, and that coverage counts it right."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from benchmarks.cnn_networks import cnn_1d, resnet8
from benchmarks.networks import MlpSpec, mlp
from benchmarks.qonnx_graph import QonnxGraph, Tensor
from qnnc.compiler.api import build
from qnnc.compiler.building.bisect import bisect
from qnnc.compiler.building.options import BuildOptions
from qnnc.compiler.errors import VerificationError
from qnnc.compiler.ir.facts import integer
from qnnc.compiler.passes.base import Pass
from qnnc.compiler.passes.minimize_widths import MinimizeWidths
from qnnc.compiler.reference import BatchRunner
from qnnc.compiler.verification import Coverage, Verifier, corner_samples
from tests.support.build import compile_with_verifier

DENSE = MlpSpec((16, 12, 8), 3, 3, "relu", 4, seed=2)
NETWORKS: dict[str, Callable[[], onnx.ModelProto]] = {
    "dense": lambda: mlp(DENSE),
    "one bit": lambda: mlp(MlpSpec((16, 12, 4))),
    "images": lambda: resnet8(3, image=8),
    "sequences": lambda: cnn_1d(3, steps=24, channels=(3, 4)),
}
Found = tuple[ir.Model, Verifier, Coverage]


@pytest.fixture(scope="module", params=NETWORKS)
def seen(request: pytest.FixtureRequest) -> Found:
    model, check = compile_with_verifier(NETWORKS[request.param](), samples=4)
    coverage = Coverage(model)
    assert check.check(model, coverage).mismatches == 0
    return model, check, coverage


def test_corner_samples_reach_further(seen: Found) -> None:
    model, check, _ = seen
    coverage = Coverage(model)
    check.check(model, coverage)
    before = coverage.whole()
    corners = corner_samples(model, check.inputs, coverage)
    assert coverage.whole() == before  # looking changes nothing
    again = corner_samples(model, check.inputs, coverage)
    assert all(np.array_equal(corners[name], again[name]) for name in corners)
    assert Verifier(check.golden, corners).check(model, coverage).mismatches == 0
    after = coverage.whole()
    assert after.crossed > before.crossed and after.range_seen > before.range_seen
    assert after.ends_reached > before.ends_reached
    assert (after.thresholds, after.ends) == (before.thresholds, before.ends)


def test_every_end_of_the_first_layer_is_reached(seen: Found) -> None:
    model, check, _ = seen
    reaches_every_end(model, check)


def test_ends_are_reached_through_the_quantizer_of_an_integer_input() -> None:
    """Thresholds stand before the first layer then."""
    options = {"input_type": "uint8", "input_scale": "1/64"}
    model, check = compile_with_verifier(NETWORKS["dense"](), samples=4, **options)
    assert next(node.op_type for node in model.graph) == "Thresholding"
    reaches_every_end(model, check)


def reaches_every_end(model: ir.Model, check: Verifier) -> None:
    coverage = Coverage(model)
    check.check(model, coverage)
    corners = corner_samples(model, check.inputs, coverage)
    layer = next(node for node in model.graph if node.op_type == "MVAU")
    fact = integer(layer.outputs[0])
    assert fact is not None
    sums = BatchRunner(model, [layer.outputs[0]]).run(corners)[str(layer.outputs[0].name)]
    rows = sums.reshape(-1, sums.shape[-1])
    assert np.array_equal(rows.max(axis=0), np.broadcast_to(fact.high, rows.shape[1:]).reshape(-1))
    assert np.array_equal(rows.min(axis=0), np.broadcast_to(fact.low, rows.shape[1:]).reshape(-1))


def test_coverage_counts_what_can_be_counted_one_by_one(seen: Found) -> None:
    model, check, coverage = seen
    total = reached = crossed = 0
    for node in model.graph:
        if node.op_type != "Thresholding":
            continue
        x, table = node.inputs[0], node.inputs[1].const_value.numpy()
        if x.is_graph_input():
            values = check.inputs[str(x.name)]
        else:
            values = BatchRunner(model, [x]).run(check.inputs)[str(x.name)]
        fact, rows = integer(x), values.reshape(-1, values.shape[-1])
        assert fact is not None
        shape = (1, *values.shape[1:])
        low, high = (
            np.broadcast_to(end, shape).reshape(-1, shape[-1]) for end in (fact.low, fact.high)
        )
        mine = theirs = ends = 0
        for channel in range(rows.shape[1]):
            seen_here = set(rows[:, channel].tolist())
            least, most = int(low[:, channel].min()), int(high[:, channel].max())
            ends += (least in seen_here) + (most in seen_here)
            for threshold in table[channel % len(table)]:
                if least < threshold <= most:
                    theirs += 1
                    mine += len({value >= threshold for value in seen_here}) == 2
        figures = coverage.of(str(node.name))
        assert figures is not None
        assert (figures.crossed, figures.thresholds) == (mine, theirs)
        assert (figures.ends_reached, figures.ends) == (ends, 2 * rows.shape[1])
        total, crossed, reached = total + theirs, crossed + mine, reached + ends
    assert (coverage.whole().thresholds, coverage.whole().crossed) == (total, crossed)
    assert total > 0


@pytest.mark.parametrize("kind", ["uint8", None])
def test_corner_samples_stay_in_the_input_s_range(kind: str | None) -> None:
    options = {} if kind is None else {"input_type": kind, "input_scale": "1/64"}
    model, check = compile_with_verifier(NETWORKS["dense"](), samples=4, **options)
    corners = corner_samples(model, check.inputs, Coverage(model))
    (name, array), given = next(iter(corners.items())), next(iter(check.inputs.values()))
    assert str(model.graph.inputs[0].name) == name and array.shape[1:] == given.shape[1:]
    if kind is None:
        assert np.isfinite(array).all() and np.abs(array).max() <= 2 * np.abs(given).max()
    else:
        assert (array.min(), array.max()) == (0, 255)
        assert np.array_equal(array, np.rint(array))


class Spoil:
    """Puts the last threshold that can be reached out of reach, after the last pass."""

    def __init__(self) -> None:
        self.spoilt = 0

    def after(self, model: ir.Model, step: Pass, changed: bool, done: Sequence[str]) -> None:
        if step.name == "choose-backend":
            self.spoilt += spoil(model)


def spoil(model: ir.Model) -> int:
    """Put one threshold of each channel of a table out of reach; returns how many."""
    node = next(n for n in model.graph if n.op_type == "Thresholding")
    x, old = node.inputs[0], node.inputs[1]
    fact, table = integer(x), old.const_value.numpy().copy()
    assert fact is not None
    high = np.broadcast_to(fact.high, (1, table.shape[0])).reshape(-1)
    last = (table <= high[:, None]).sum(axis=1) - 1
    chosen = np.flatnonzero(last >= 0)
    table[chosen, last[chosen]] = high[chosen] + 1
    old.const_value = ir.Tensor(np.sort(table, axis=1), name=old.name)
    return int(chosen.size)


def test_a_fault_that_no_sample_shows_is_found_in_a_corner(tmp_path: Path) -> None:
    model, samples = tmp_path / "model.onnx", tmp_path / "samples.npy"
    onnx.save(NETWORKS["dense"](), model)
    np.save(samples, np.zeros((3, 16), np.float32))
    options = {"samples": samples, "until": "estimate", "verify": "ends"}
    report = build(model, out=tmp_path / "right", **options)
    assert report.verification.corner_samples > 10
    assert report.verification.samples == 3 + report.verification.corner_samples
    with pytest.raises(VerificationError, match=r"differs: corner samples: tensor .* differs from"):
        build(model, out=tmp_path / "wrong", watchers=[Spoil()], **options)


def test_bisecting_looks_into_corners_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, samples, scratch = (tmp_path / n for n in ("model.onnx", "samples.npy", "scratch"))
    onnx.save(NETWORKS["dense"](), model)
    np.save(samples, np.zeros((3, 16), np.float32))
    scratch.mkdir()
    run = MinimizeWidths.run

    def spoilt(step: MinimizeWidths, network: ir.Model) -> bool:
        run(step, network)
        return spoil(network) > 0

    monkeypatch.setattr(MinimizeWidths, "run", spoilt)
    options = BuildOptions(model=str(model), out=tmp_path / "out", samples=samples)
    culprit = bisect(options, scratch, tmp_path / "region")
    assert culprit.step is not None and culprit.step.name == "minimize-widths"


def test_the_report_says_how_far_it_looked(tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    onnx.save(NETWORKS["dense"](), model)
    report = build(model, out=tmp_path / "out", until="estimate", input_type="int4")
    whole = report.verification.coverage
    assert whole is not None and whole.thresholds > whole.ends > 0
    layers = {layer.op: layer.coverage for layer in report.layers}
    assert None not in (layers["MVAU"], layers["Thresholding"])
    tables = [layer.coverage for layer in report.layers if layer.op == "Thresholding"]
    assert {seen.table for seen in tables if seen is not None} == {"exhaustive"}
    assert layers["MVAU"] is not None and layers["MVAU"].table is None
    page = (tmp_path / "out" / "report.html").read_text()
    assert f"{whole.crossed:,} of {whole.thresholds:,} thresholds crossed" in page
    assert page.count("<td>exhaustive</td>") == len(tables)


def test_bisected_tables_are_not_called_exhaustive(tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    onnx.save(NETWORKS["dense"](), model)
    report = build(
        model,
        out=tmp_path / "out",
        until="estimate",
        input_type="int4",
        passes="...,absorb-tails{max-elements=100},...",
    )
    seen = [layer.coverage for layer in report.layers if layer.op == "Thresholding"]
    assert "bisected" in [found.table for found in seen if found is not None]


def passed(coverage: Coverage) -> int:
    """Places of all sums of which both sides were seen."""
    found = 0
    for total in coverage.sums:
        if not total.value.is_graph_input():
            places = total.landmarks()
            low, high = total.seen_low[:, None], total.seen_high[:, None]
            found += int(((places > low) & (places <= high)).sum())
    return found


def test_every_corner_sample_adds_something(seen: Found) -> None:
    model, check, _ = seen
    coverage = Coverage(model)
    check.check(model, coverage)
    corners = corner_samples(model, check.inputs, coverage)
    before = passed(coverage)
    count = len(next(iter(corners.values())))
    assert 2 < count <= 160
    for index in range(min(count, 24)):
        one = {name: array[index : index + 1] for name, array in corners.items()}
        assert all(np.all(np.isfinite(array)) for array in one.values())
        Verifier(check.golden, one).check(model, coverage)
        assert passed(coverage) > before, index
        before = passed(coverage)


def test_corners_of_an_integer_input_are_integers_of_its_range() -> None:
    options = {"input_type": "int4", "input_scale": "1/4"}
    model, check = compile_with_verifier(NETWORKS["dense"](), samples=4, **options)
    coverage = Coverage(model)
    check.check(model, coverage)
    (corners,) = corner_samples(model, check.inputs, coverage).values()
    assert np.array_equal(corners, np.rint(corners))
    assert (corners.min(), corners.max()) == (-8, 7)


def difference() -> onnx.ModelProto:
    """The differences of neighbours in a row of three."""
    g = QonnxGraph()
    x = g.quantize(g.input((1, 1, 3)), 4, 1.0, narrow=True)
    w = g.quantize(Tensor(g.constant(np.array([[[[1, -1]]]])), ()), 2, 1.0, narrow=True)
    y = Tensor(g.op("Conv", [x.name, w.name], kernel_shape=[1, 2])[0], (1, 1, 2))
    return g.model(g.quantize(y, 5, 1.0))


def test_an_end_that_one_place_reaches_while_no_other_does() -> None:
    """-14 is -7 beside 7, and what comes after 7 is never higher."""
    model, check = compile_with_verifier(difference(), samples=4)
    inputs = {name: np.float32([[[[7, -7, -7]]]]) for name in check.inputs}
    coverage = Coverage(model)
    Verifier(check.golden, inputs).check(model, coverage)
    assert coverage.whole().ends_reached == 1
    corners = corner_samples(model, inputs, coverage)
    Verifier(check.golden, corners).check(model, coverage)
    assert coverage.whole().ends_reached == coverage.whole().ends == 2


def test_channels_that_stand_still_are_seen_whole() -> None:
    g = QonnxGraph()
    x = g.quantize(g.input((6,)), 4, 1.0, narrow=True)
    weights = np.zeros((6, 4))
    weights[:, 0] = [1, -1, 1, 1, -1, 1]
    w = g.quantize(Tensor(g.constant(weights), ()), 2, 1.0, narrow=True)
    y = g.quantize(Tensor(g.op("MatMul", [x.name, w.name])[0], (4,)), 7, 1.0)
    model, check = compile_with_verifier(g.model(y), samples=4)
    coverage = Coverage(model)
    nothing = {name: np.zeros((1, 6), np.float32) for name in check.inputs}
    Verifier(check.golden, nothing).check(model, coverage)
    assert coverage.whole().range_seen == 0.75
    one = {name: np.float32([[7, -7, 7, 7, -7, 7]]) for name in check.inputs}
    Verifier(check.golden, one).check(model, coverage)
    assert coverage.whole().range_seen == 0.875
