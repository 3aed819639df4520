# SPDX-License-Identifier: Apache-2.0
"""Builds side by side, and what speed costs."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import onnx
import pytest

from benchmarks.networks import MlpSpec, mlp
from qnnc.compiler import build
from qnnc.compiler.buffering.timing import latency
from qnnc.compiler.dataflow.stream_graph import stream_graph
from qnnc.compiler.ir.saved import load_ir
from qnnc.compiler.report import Report
from tests.support.build import run_main
from tests.support.lstm import Lstm
from tests.support.small import SmallBuild

Capture = pytest.CaptureFixture[str]
ESTIMATE: dict[str, Any] = {"until": "estimate", "verify": "none"}
COSTS = ("latency_us", "LUT", "BRAM18", "DSP")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "model.onnx"
    onnx.save(mlp(MlpSpec((64, 48, 10), 4, 4, "relu", 4, seed=1)), path)
    return path


def test_a_sweep_is_what_builds_give(capfd: Capture, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "sweep"
    command = ("sweep", model, "--out", out, "--points", 5, "--clock-mhz", "100,125", "--json")
    code, output, errors = run_main(capfd, *map(str, command))
    assert code == 0, errors
    points = json.loads(output)
    assert {p["clock_mhz"] for p in points} == {100, 125}
    assert len({(p["LUT"], p["BRAM18"], p["fps"]) for p in points}) > 8
    rows = list(csv.DictReader((out / "sweep.csv").read_text().splitlines()))
    assert [row["LUT"] for row in rows] == [str(p["LUT"]) for p in points]
    for p in points:  # nothing that is best is beaten, and what is not is
        mine = [p[cost] for cost in COSTS]
        as_good = [o for o in points if o["fps"] >= p["fps"] and all(o[c] <= p[c] for c in COSTS)]
        better = [
            o
            for o in as_good
            if [o[c] for c in COSTS] != mine or o["fps"] > p["fps"] or o["number"] < p["number"]
        ]
        assert p["best"] == (not better)
    for p in points[:: len(points) // 4]:
        file = out / p["folding"]
        report = build(
            model, out=tmp_path / "b", folding=file, clock_mhz=p["clock_mhz"], **ESTIMATE
        )
        assert report.performance is not None and report.resources is not None
        assert report.performance.ii_cycles_estimate == p["cycles"]
        assert report.resources.estimate.model_dump() == {
            n: p[n] for n in ("LUT", "FF", "BRAM18", "DSP")
        }
    page = (out / "sweep.html").read_text()
    assert page.count("<circle") == len(points) * page.count("<figure>")


def test_memory_can_be_saved_either_way(capfd: Capture, model: Path, tmp_path: Path) -> None:
    command = ("sweep", model, "--out", tmp_path / "s", "--fps", "20000", "--json")
    code, output, errors = run_main(capfd, *command)
    assert code == 0, errors
    found = {p["memory"]: p for p in json.loads(output)}
    assert found["few-luts"]["LUT"] < found["few-brams"]["LUT"]
    assert found["few-luts"]["BRAM18"] > found["few-brams"]["BRAM18"]
    assert all(p["fps"] >= 20000 for p in found.values())


def test_one_folding_for_several_rates_without_a_limit(
    capfd: Capture, model: Path, tmp_path: Path
) -> None:
    """It is listed once, with the highest rate."""
    options = ("--fps", "1000,2000", "--budget", "inf", "--memory", "balanced", "--json")
    code, output, errors = run_main(capfd, "sweep", model, "--out", tmp_path / "s", *options)
    assert code == 0, errors
    assert [point["wanted_fps"] for point in json.loads(output)] == [2000]


@pytest.mark.parametrize(
    "options,text",
    [
        (("--fps", "fast"), "--fps is numbers separated by commas, not 'fast'"),
        (("--fps", "1e12"), "no folding of this network reaches any of these goals"),
        (("--memory", "none"), "--memory is of balanced, few-luts, few-brams, not 'none'"),
        (("--budget", "inf"), "--budget inf needs --fps"),
        (("--fps", "1e-9"), "--fps must be at least 0.001"),
        (("--points", "0"), "a sweep is over 1 to 64 frame rates"),
        (("--clock-mhz", "101"), "101"),
    ],
)
def test_a_sweep_that_cannot_be(
    capfd: Capture, model: Path, tmp_path: Path, options: tuple[str, ...], text: str
) -> None:
    code, _, errors = run_main(capfd, "sweep", model, "--out", tmp_path / "s", *options)
    assert code == 2 and errors.count("\n") == 1 and text in errors
    assert not (tmp_path / "s").exists()


def test_the_latency_of_the_schedules_is_that_of_the_rtl(small_build: SmallBuild) -> None:
    report = Report.model_validate_json(small_build.output)
    assert report.performance is not None and report.performance.latency_cycles is not None
    graph = stream_graph(load_ir(small_build.out / "model" / "dataflow.onnx")[0])
    found = latency(graph)
    assert found is not None
    assert abs(found - report.performance.latency_cycles) <= 0.1 * report.performance.latency_cycles


def test_builds_are_compared(capfd: Capture, model: Path, tmp_path: Path) -> None:
    builds = [tmp_path / name for name in ("<b>slow", "fast")]
    reports = [
        build(model, out=out, fps=fps, **ESTIMATE)
        for out, fps in zip(builds, (1e3, 1e6), strict=True)
    ]
    page = tmp_path / "compare.html"
    code, output, errors = run_main(capfd, "compare", *builds, "--page", page, "--json")
    assert code == 0, errors
    found = json.loads(output)
    figures = {row["name"]: row["cells"] for row in found["figures"]}
    assert figures["frames/s at that clock"] == [
        round(r.performance.fps) for r in reports if r.performance is not None
    ]
    assert [row["name"] for row in found["options"]] == ["fps"]
    layers = {layer["name"]: layer for layer in found["layers"]}
    simd = next(row for row in layers["mvau_0"]["rows"] if row["name"] == "SIMD")
    assert simd["cells"] == [next(x.SIMD for x in r.layers if x.name == "mvau_0") for r in reports]
    assert "<b>slow" not in page.read_text() and "&lt;b&gt;slow" in page.read_text()
    code, output, _ = run_main(capfd, "compare", *builds)
    assert code == 0 and re.search(r"mvau_0: .*SIMD \d+ → \d+", output)
    code, output, _ = run_main(capfd, "compare", builds[0], builds[0])
    assert f"0 of {len(reports[0].layers)} layers differ" in output


def test_what_cannot_be_compared(capfd: Capture, small_build: SmallBuild, tmp_path: Path) -> None:
    out = small_build.out
    for arguments, text in (
        ((out,), "compare takes two builds or more"),
        ((out, tmp_path), f"{tmp_path} is not a build of qnnc"),
        ((out, out, "--page", out / "report.html"), "is there already"),
    ):
        code, _, errors = run_main(capfd, "compare", *arguments)
        assert code == 2 and errors.count("\n") == 1 and text in errors


def test_a_sweep_of_a_recurrence_is_as_slow_as_its_loop(capfd: Capture, tmp_path: Path) -> None:
    path, out = tmp_path / "lstm.onnx", tmp_path / "s"
    onnx.save(Lstm().model(head=3), path)
    options = ("--fps", "1000", "--memory", "balanced", "--json")
    code, output, errors = run_main(capfd, "sweep", path, "--out", out, *options)
    assert code == 0, errors
    (point,) = json.loads(output)
    report = build(path, out=tmp_path / "b", folding=out / point["folding"], **ESTIMATE)
    assert report.performance is not None
    assert report.performance.ii_cycles_estimate == point["cycles"]
    assert max(layer.cycles for layer in report.layers) < point["cycles"]
