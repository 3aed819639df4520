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

KILLED = """
import os, signal, sys
real, left = os.replace, int(sys.argv.pop(1))
def replace(source, target):
    global left
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    left -= 1
    real(source, target)
os.replace = replace
from qnnc.cli.main import main
main()
"""
"""The command line, killed where it would put its n-th file or folder in place."""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return write_small(tmp_path / "in")[0]


def status(out: Path) -> str:
    return str(json.loads((out / "report.json").read_text())["status"])


@pytest.mark.parametrize("when", range(4))
def test_a_killed_build_is_not_taken_for_done(
    when: int, model: Path, tmp_path: Path, capfd: Capture
) -> None:
    out = tmp_path / "out"
    arguments = ["build", model, "--out", out, "--until", "rtl"]
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(when), *map(str, arguments)],
        capture_output=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == -9
    assert not (out / "report.json").exists()
    assert any(path.name.startswith(".partial-") for path in out.iterdir())
    samples = model.parent / "samples.npy"
    for command in (("verify", out, "--samples", samples), ("simulate", out)):
        code, output, errors = run_main(capfd, *command)
        assert code == 2 and output == "" and errors.count("\n") == 1
    assert run_main(capfd, *arguments)[0] == 0
    left = {path.name for path in out.iterdir()}
    made = {"build.json", "report.html", "report.json", "model", "emulator", "rtl"}
    assert left == {".lock", *made}
    assert status(out) == "ok"
    assert run_main(capfd, "verify", out, "--samples", samples)[0] == 0


def test_a_failed_build_leaves_nothing_of_the_one_before(
    small_build: SmallBuild, tmp_path: Path, capfd: Capture
) -> None:
    out = small_build.copy(tmp_path / "out")
    code, _, errors = run_main(
        capfd, "build", small_build.model, "--out", out, "--fps", "1000000000"
    )
    assert code == 2 and "frames" in errors
    assert {path.name for path in out.iterdir()} == {
        "build.json",
        "report.html",
        "report.json",
        ".lock",
    }
    report = json.loads((out / "report.json").read_text())
    assert report["status"] == "failed" and report["error"] in errors
    assert [stage["status"] for stage in report["stages"]] == ["failed"]
    left = {name: path for name, path in report["artifacts"].items() if path is not None}
    assert left == {"page": "report.html"}
    code, _, errors = run_main(capfd, "verify", out, "--samples", small_build.samples)
    assert code == 2 and "build again" in errors


def test_an_earlier_stop_leaves_nothing_of_later_stages(
    small_build: SmallBuild, tmp_path: Path, capfd: Capture
) -> None:
    out = small_build.copy(tmp_path / "out")
    (out / "notes.txt").write_text("mine")
    arguments = ("build", small_build.model, "--out", out, "--until", "estimate")
    assert run_main(capfd, *arguments)[0] == 0
    left = {path.name for path in out.iterdir()}
    assert left == {"build.json", "report.html", "report.json", ".lock", "model", "notes.txt"}


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
    assert code == 2 and errors.count("\n") == 1 and "choose another --out" in errors
    assert (out / "model" / "thesis.tex").read_text() == "ten years of work"
    assert {path.name for path in out.iterdir()} == {"model", "report.json"}


def test_a_link_in_the_folder_is_not_followed(model: Path, tmp_path: Path, capfd: Capture) -> None:
    out, precious = tmp_path / "out", tmp_path / "precious"
    arguments = ("build", model, "--out", out, "--until", "passes")
    assert run_main(capfd, *arguments)[0] == 0
    precious.mkdir()
    (precious / "file").write_text("x")
    (out / "rtl").symlink_to(precious)
    (out / ".partial-link").symlink_to(precious)
    assert run_main(capfd, *arguments)[0] == 0
    assert (precious / "file").read_text() == "x"
    assert not (out / "rtl").exists() and not (out / ".partial-link").exists()


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
        if path.is_file() and path.name not in {".lock", "build.json", "report.html", "report.json"}
    }
    assert run_main(capfd, "build", model, "--out", out, "--until", "rtl")[0] == 0
    # What the failed build left are artefacts that were finished before there was no more room.
    assert all((out / name).read_bytes() == content for name, content in left.items())
    assert not any(name.is_relative_to("rtl") for name in left)


def test_a_cache_that_cannot_be_written(model: Path, tmp_path: Path, capfd: Capture) -> None:
    arguments = ("build", model, "--out", tmp_path / "out", "--engine", "cxxrtl")
    code, _, errors = run_main(capfd, *arguments, "--cache-dir", "/proc/none/cache")
    assert code == 2 and errors.count("\n") == 1 and "/proc/none" in errors
    assert status(tmp_path / "out") == "failed"


def test_a_build_at_work_is_not_disturbed(model: Path, tmp_path: Path, capfd: Capture) -> None:
    out = tmp_path / "out"
    with Workspace(out).claimed({}):
        (out / ".partial-work").mkdir()
        code, _, errors = run_main(capfd, "build", model, "--out", out)
        assert code == 2 and errors == f"qnnc: another build is at work in {out}\n"
        assert (out / ".partial-work").is_dir()
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
        assert code == 2 and errors == f"qnnc: {folder} is no build of qnnc\n"
