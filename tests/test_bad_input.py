# SPDX-License-Identifier: Apache-2.0
"""Whatever is wrong with a model or an option: one line that names it, exit code 2, no traceback,
and nothing in the build's folder that could be taken for a build."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest

from tests.support.bad_models import CASES, base
from tests.support.build import qnnc, run_main


def check_refused(code: int, errors: str, out: Path, *names: str) -> str:
    """Exit code 2 and one line that holds all names; nothing that looks finished in `out`."""
    lines = errors.rstrip("\n").split("\n")
    assert code == 2, errors
    assert len(lines) == 1 and lines[0].startswith("qnnc: "), errors
    assert "Traceback" not in errors and "internal error" not in errors
    assert lines[0].isprintable() and len(lines[0]) < 700
    for name in names:
        assert name in lines[0], f"{name!r} is not in {lines[0]!r}"
    report = out / "report.json"
    if report.exists():
        assert json.loads(report.read_text())["status"] == "failed"
    if out.is_dir():
        left = {path.name for path in out.iterdir()}
        assert left <= {"report.json", "build.json", ".lock"}
    return lines[0]


@pytest.mark.parametrize("name", CASES)
def test_bad_model(name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    case = CASES[name]
    model = case.write(tmp_path)
    out = tmp_path / "out"
    code, _, errors = run_main(capfd, "build", model, "--out", out, "--until", "estimate")
    check_refused(code, errors, out, *case.names)


def test_the_model_that_is_spoilt_is_a_good_one(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    onnx.save(base(), tmp_path / "model.onnx")
    arguments = ("build", tmp_path / "model.onnx", "--out", tmp_path / "out", "--until", "estimate")
    assert run_main(capfd, *arguments)[0] == 0


@pytest.mark.parametrize("name", ["noise", "operator that does not exist", "external data outside"])
def test_in_a_process_of_its_own(name: str, tmp_path: Path) -> None:
    model, out = CASES[name].write(tmp_path), tmp_path / "out"
    done = qnnc(["build", model, "--out", out])
    check_refused(done.returncode, done.stderr, out, *CASES[name].names)
    assert done.stdout == ""
