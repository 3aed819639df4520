# SPDX-License-Identifier: Apache-2.0
"""The build's folder: nothing half-done is taken for done, and nothing foreign is touched."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from qnnc.compiler.building.workspace import Workspace
from tests.support.build import run_main
from tests.support.small import SmallBuild, write_small

Capture = pytest.CaptureFixture[str]
MADE = ("folding.yaml", "model", "report.html", "report.json")
"""What a build up to the estimate leaves."""
CONTROL = {".lock", "build.json", "manifest.json", "report.html", "report.json"}
"""What every build's folder has."""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return write_small(tmp_path / "in")[0]


def files_of(folder: Path) -> dict[str, bytes]:
    """What lies in a folder, but for its lock."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path != folder / ".lock"
    }


def status(out: Path) -> str:
    return str(json.loads((out / "report.json").read_text())["status"])


def test_a_failed_build_leaves_the_finished_one(
    small_build: SmallBuild, tmp_path: Path, capfd: Capture
) -> None:
    out = small_build.copy(tmp_path / "out")
    before = files_of(out)
    for _ in range(2):
        code, _, errors = run_main(
            capfd, "build", small_build.model, "--out", out, "--fps", "1000000000"
        )
        assert code == 2 and "frames" in errors and errors.count("\n") == 1
        assert str(out / "failed") in errors
        left = files_of(out)
        failed = {name: left.pop(name) for name in list(left) if name.startswith("failed/")}
        assert left == before
        assert {name for name in failed if not name.endswith(".lock")} == {
            "failed/build.json",
            "failed/manifest.json",
            "failed/report.html",
            "failed/report.json",
        }
        report = json.loads((out / "failed" / "report.json").read_text())
        assert report["status"] == "failed" and report["error"] in errors
        assert [stage["status"] for stage in report["stages"]] == ["failed"]
        artifacts = {name: path for name, path in report["artifacts"].items() if path is not None}
        assert artifacts == {"page": "report.html"}
    assert run_main(capfd, "verify", out, "--samples", small_build.samples)[0] == 0
    code, output, _ = run_main(capfd, "why", out / "failed")
    assert code == 1 and "refused: " in output
    assert run_main(capfd, "build", small_build.model, "--out", out, "--until", "passes")[0] == 0
    assert not (out / "failed").exists()


@pytest.mark.parametrize(
    "options",
    [
        ["absent.onnx"],
        ["{model}", "--board", "Pynq-Z9"],
        ["{model}", "--fps", "0"],
        ["{model}", "--samples", "absent.npy"],
        ["{model}", "--passes", "nonsense"],
    ],
)
def test_a_mistake_leaves_everything(
    options: list[str], model: Path, tmp_path: Path, capfd: Capture
) -> None:
    out = tmp_path / "out"
    assert run_main(capfd, "build", model, "--out", out, "--until", "passes")[0] == 0
    before = files_of(out)
    wrong = [option.format(model=model) for option in options]
    code, _, errors = run_main(capfd, "build", *wrong, "--out", out)
    assert code == 2 and errors.count("\n") == 1
    left = files_of(out)
    assert {n: d for n, d in left.items() if not n.startswith("failed/")} == before


def test_a_failed_build_takes_an_empty_place(model: Path, tmp_path: Path, capfd: Capture) -> None:
    out = tmp_path / "out"
    for _ in range(2):
        assert run_main(capfd, "build", model, "--out", out, "--fps", "1e12")[0] == 2
        assert status(out) == "failed"
    code, _, errors = run_main(capfd, "verify", out, "--samples", model.parent / "samples.npy")
    assert code == 2 and "build again" in errors
    assert run_main(capfd, "build", model, "--out", out, "--until", "passes")[0] == 0
    assert status(out) == "ok" and not (out / "failed").exists()
    arguments = ("build", model, "--out", tmp_path / "a" / "b")
    assert run_main(capfd, *arguments, "--input-shape", "0")[0] == 2
    assert not (tmp_path / "a").exists()


def test_an_earlier_stop_leaves_nothing_of_later_stages(
    small_build: SmallBuild, tmp_path: Path, capfd: Capture
) -> None:
    out = small_build.copy(tmp_path / "out")
    (out / "notes.txt").write_text("mine")
    arguments = ("build", small_build.model, "--out", out, "--until", "estimate")
    assert run_main(capfd, *arguments)[0] == 0
    left = {path.name for path in out.iterdir()}
    control = {"build.json", "manifest.json", ".lock"}
    assert left == {*control, *MADE, "notes.txt"}
    assert (out / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("where", ["/proc/none/out", "{file}", "{file}/out", "/dev/full"])
def test_a_folder_that_cannot_be_made(
    where: str, model: Path, tmp_path: Path, capfd: Capture
) -> None:
    file = tmp_path / "file"
    file.write_text("not a folder")
    out = where.format(file=file)
    code, _, errors = run_main(capfd, "build", model, "--out", out, "--until", "passes")
    assert code == 2 and errors.count("\n") == 1
    assert errors.startswith(f"qnnc: cannot write to {out}")
    assert file.read_text() == "not a folder"


def test_a_folder_of_somebody_else_is_left_alone(
    model: Path, tmp_path: Path, capfd: Capture
) -> None:
    out = tmp_path / "out"
    (out / "model").mkdir(parents=True)
    (out / "model" / "thesis.tex").write_text("ten years of work")
    (out / "report.json").write_text("{}")
    code, _, errors = run_main(capfd, "build", model, "--out", out)
    assert code == 2 and errors.count("\n") == 1 and "choose another folder" in errors
    assert (out / "model" / "thesis.tex").read_text() == "ten years of work"
    assert {path.name for path in out.iterdir()} == {"model", "report.json"}


def test_a_link_in_the_folder_is_not_followed(model: Path, tmp_path: Path, capfd: Capture) -> None:
    out, precious = tmp_path / "out", tmp_path / "precious"
    arguments = ("build", model, "--out", out, "--until", "passes")
    assert run_main(capfd, *arguments)[0] == 0
    precious.mkdir()
    (precious / "file").write_text("x")
    (out / ".partial-link").symlink_to(precious)
    assert run_main(capfd, *arguments)[0] == 0  # a link that is in nobody's way
    (out / "rtl").symlink_to(precious)
    further = (*arguments[:-1], "rtl")
    code, _, errors = run_main(capfd, *further)
    assert code == 2 and str(out / "rtl") in errors
    code, _, errors = run_main(capfd, *further, "--force")
    assert code == 0 and f"--force replaces {out / 'rtl'}" in errors
    assert (precious / "file").read_text() == "x"
    assert not (out / "rtl").is_symlink() and (out / ".partial-link").is_symlink()


@pytest.mark.parametrize("limit", [0, 100, 2000, 6000])
def test_a_full_disk(limit: int, model: Path, tmp_path: Path, capfd: Capture) -> None:
    """No file may grow beyond `limit` bytes, as if there were no more room."""
    out = tmp_path / "out"
    done = subprocess.run(
        [sys.executable, "-m", "qnnc.cli", "build", model, "--out", out, "--until", "rtl"],
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1 and done.stderr.startswith("qnnc: cannot write")
    assert "File too large" in done.stderr
    assert not (out / "report.json").exists() or status(out) == "failed"
    left = {
        path.relative_to(out): path.read_bytes()
        for path in out.rglob("*")
        if path.is_file() and path.name not in CONTROL
    }
    assert run_main(capfd, "build", model, "--out", out, "--until", "rtl")[0] == 0
    # What the failed build left are artefacts that were finished before there was no more room.
    assert all((out / name).read_bytes() == content for name, content in left.items())
    assert not any(name.is_relative_to("rtl") for name in left)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".partial")] == []


def test_a_cache_that_cannot_be_written(model: Path, tmp_path: Path, capfd: Capture) -> None:
    arguments = ("build", model, "--out", tmp_path / "out", "--engine", "cxxrtl")
    code, _, errors = run_main(capfd, *arguments, "--cache-dir", "/proc/none/cache")
    assert code == 2 and errors.count("\n") == 1 and "/proc/none" in errors
    assert status(tmp_path / "out") == "failed"


def test_a_build_at_work_is_not_disturbed(model: Path, tmp_path: Path, capfd: Capture) -> None:
    out = tmp_path / "out"
    with Workspace(out).claimed({}):
        at_work = {path: list(path.iterdir()) for path in tmp_path.glob(".partial-*")}
        code, _, errors = run_main(capfd, "build", model, "--out", out)
        assert code == 2 and errors == f"qnnc: another build is at work in {out}\n"
        assert {path: list(path.iterdir()) for path in tmp_path.glob(".partial-*")} == at_work
        assert len(at_work) == 1
    assert not list(tmp_path.glob(".partial-*")) and not out.exists()
    assert run_main(capfd, "build", model, "--out", out, "--until", "passes")[0] == 0


def test_two_builds_may_share_a_cache(model: Path, tmp_path: Path) -> None:
    """Both at once and both from nothing."""
    builds = [
        subprocess.Popen(
            [
                *(sys.executable, "-m", "qnnc.cli", "build", model, "--out", tmp_path / str(i)),
                *("--engine", "cxxrtl", "--frames", "4", "--until", "simulate", "--json"),
                *("--fps", "1000000", "--cache-dir", tmp_path / "cache", "--jobs", "1"),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "COLUMNS": "80"},
        )
        for i in range(2)
    ]
    try:
        for build in builds:
            output, errors = build.communicate(timeout=900)
            assert build.returncode == 0, errors
            assert json.loads(output)["verification"]["mismatches"] == 0
    finally:
        for build in builds:
            build.kill()
    assert not list((tmp_path / "cache").glob(".partial-*"))


def test_what_is_no_build(tmp_path: Path, model: Path, capfd: Capture) -> None:
    samples = model.parent / "samples.npy"
    for folder in (tmp_path, tmp_path / "absent", model):
        code, _, errors = run_main(capfd, "verify", folder, "--samples", samples)
        assert code == 2 and errors == f"qnnc: {folder} is not a build of qnnc\n"
