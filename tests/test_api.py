# SPDX-License-Identifier: Apache-2.0
"""Building from Python."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import qnnc.compiler
from qnnc.compiler import Verdict, build, compile, verify
from qnnc.compiler.building.options import BuildOptions, Options
from qnnc.compiler.errors import ModelError, OptionError, QnncError, TargetError, WorkspaceError
from qnnc.compiler.report import Report
from tests.support.small import SAMPLES, SmallBuild, write_small


class Listener:
    """Records what it is notified of."""

    def __init__(self) -> None:
        self.begun: list[tuple[str, int, int]] = []
        self.ended: list[tuple[str, str]] = []
        self.details: list[str] = []

    def stage(self, name: str, index: int, count: int) -> None:
        self.begun.append((name, index, count))

    def detail(self, text: str, done: float | None = None) -> None:
        assert done is None or 0 <= done <= 1
        self.details.append(text)

    def finished(self, name: str, status: str, seconds: float) -> None:
        self.ended.append((name, status))

    def warn(self, text: str) -> None:
        pass


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path, Path]:
    (tmp_path / "in").mkdir()
    return write_small(tmp_path / "in")


def test_build_returns_what_it_writes(files: tuple[Path, Path, Path], tmp_path: Path) -> None:
    model, samples, labels = files
    listener = Listener()
    report = build(
        str(model),
        board="Pynq-Z2",
        out=str(tmp_path / "o"),
        fps=1e6,
        until="rtl",
        samples=str(samples),
        labels=labels,
        progress=listener,
    )
    assert isinstance(report, Report)
    written = json.loads((tmp_path / "o" / "report.json").read_text())
    assert report.model_dump(mode="json") == written
    assert (report.status, report.board, report.until) == ("ok", "Pynq-Z2", "rtl")
    assert report.performance is not None and report.performance.fps >= 1e6
    assert report.resources is not None and report.resources.synthesis is None
    assert listener.begun == [
        ("passes", 0, 4),
        ("estimate", 1, 4),
        ("emulate", 2, 4),
        ("rtl", 3, 4),
    ]
    assert listener.ended == [(name, "done") for name, _, _ in listener.begun]
    assert "absorb-tails" in listener.details


def test_compile_stops_before_hardware(files: tuple[Path, Path, Path], tmp_path: Path) -> None:
    report = compile(files[0], out=tmp_path / "o")
    assert [stage.name for stage in report.stages] == ["passes", "estimate"]
    assert report.artifacts.rtl is None and report.artifacts.compiled is not None
    assert report.verification.mismatches == 0
    assert report.verification.samples - report.verification.corner_samples == 64


def test_verify_by_labels_and_by_outputs(small_build: SmallBuild, tmp_path: Path) -> None:
    every = Verdict(SAMPLES, SAMPLES, 0, SAMPLES, SAMPLES)
    assert verify(small_build.out, small_build.samples, small_build.labels) == every
    assert verify(str(small_build.out), str(small_build.samples)).correct is None
    # without top-k the network gives scores, of which the best is the label
    compile(small_build.model, out=tmp_path / "scores")
    assert verify(tmp_path / "scores", small_build.samples, small_build.labels) == every
    labels = np.load(small_build.labels)
    np.save(tmp_path / "more.npy", np.append(labels, 0))
    with pytest.raises(WorkspaceError, match=f"{SAMPLES + 1} labels for {SAMPLES} samples"):
        verify(small_build.out, small_build.samples, tmp_path / "more.npy")


def test_errors_are_of_one_family(files: tuple[Path, Path, Path], tmp_path: Path) -> None:
    model, out = files[0], tmp_path / "o"
    with pytest.raises(OptionError, match="unknown build option 'speed'"):
        build(model, out=out, speed=3)
    with pytest.raises(OptionError, match="--until"):
        build(model, out=out, until="later")
    assert not out.exists()
    with pytest.raises(TargetError):
        build(model, out=out, fps=1e12)
    with pytest.raises(ModelError):
        build(files[1], out=tmp_path / "p", frontend="qonnx")
    assert all(issubclass(kind, QnncError) for kind in (OptionError, TargetError, ModelError))
    report = Report.model_validate_json((tmp_path / "p" / "report.json").read_text())
    assert report.status == "failed" and "not an ONNX model" in report.error
    with pytest.raises(WorkspaceError, match="is not a build of qnnc"):
        verify(tmp_path / "absent", files[1])


def test_the_public_names() -> None:
    assert set(qnnc.compiler.__all__) == {"Verdict", "build", "compile", "verify"}
    with pytest.raises(AttributeError):
        _ = qnnc.compiler.nothing


def test_build_takes_the_options_that_there_are() -> None:
    """What type checkers know of `build` is what it takes."""
    fields = set(BuildOptions.__dataclass_fields__) - {"model", "out"}
    assert set(Options.__annotations__) == fields
