# SPDX-License-Identifier: Apache-2.0
"""Whatever is wrong with a model or an option: one line that names it, exit code 2, no traceback,
and nothing in the build's folder that could be taken for a build."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
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
        assert left <= {"report.html", "report.json", "build.json", "manifest.json", ".lock"}
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


OPTIONS = {
    "board": (["--board", "Pynq-Z9"], "Pynq-Z9", "did you mean", "Pynq-Z1"),
    "stage": (["--until", "tomorrow"], "--until", "tomorrow"),
    "comparison": (["--verify", "maybe"], "--verify", "maybe"),
    "engine": (["--engine", "modelsim"], "--engine", "modelsim", "cxxrtl"),
    "frontend": (["--frontend", "keras"], "keras", "qonnx"),
    "no speed": (["--fps", "0"], "--fps"),
    "hardly any speed": (["--fps", "1e-308"], "--fps"),
    "clock out of reach": (["--clock-mhz", "1e308"], "clock"),
    "type without bits": (["--input-type", "uint0"], "uint0"),
    "type of too many bits": (["--input-type", "uint99999999999"], "uint99999999999"),
    "scale of zero": (["--input-type", "uint8", "--input-scale", "0"], "scale"),
    "scale that is 0 in float32": (["--input-type", "uint8", "--input-scale", "1e-50"], "1e-50"),
    "scale that is not a number": (["--input-type", "uint8", "--input-scale", "nan"], "nan"),
    "huge shape": (["--input-shape", "1,99999999,99999999"], "--input-shape"),
    "values that overflow": (["--samples", "{huge}"], "huge.npy", "float32"),
    "labels that are text": (["--samples", "{good}", "--labels", "{text}"], "text.npy"),
    "labels that are no numbers": (["--samples", "{good}", "--labels", "{nans}"], "nans.npy"),
    "endless speed": (["--fps", "inf"], "--fps"),
    "speed that is not a number": (["--fps", "nan"], "--fps"),
    "clock": (["--clock-mhz", "-1"], "--clock-mhz"),
    "budget": (["--budget", "1.5"], "--budget"),
    "more frames than there is memory": (["--frames", "9" * 20], "random samples of"),
    "no limit without a speed": (["--budget", "inf"], "--budget inf needs --fps"),
    "no budget": (["--budget", "0"], "--budget"),
    "input type": (["--input-type", "uint8; rm"], "uint8; rm"),
    "float input type": (["--input-type", "float32"], "float32"),
    "input scale": (["--input-type", "uint8", "--input-scale", "1/0"], "1/0"),
    "input scale of text": (["--input-type", "uint8", "--input-scale", "exit()"], "exit()"),
    "input name": (["--input-type", "uint8", "--input-name", "y"], "'y'", "'x'"),
    "too many labels": (["--top-k", "99"], "top-k 99", "3 scores"),
    "labels without samples": (["--labels", "l.npy"], "--samples"),
    "target": (["--fps", "200000000"], "frames/s", "MatMul_y0"),
    "absent samples": (["--samples", "absent.npy"], "absent.npy", "No such file"),
    "samples of another shape": (["--samples", "{wide}"], "wide.npy", "[6] a sample"),
    "samples of another kind": (["--samples", "{text}"], "text.npy"),
    "pickled samples": (["--samples", "{pickled}"], "pickled.npy"),
    "samples that are not finite": (["--samples", "{nan}"], "nan.npy", "finite"),
    "samples out of range": (
        ["--samples", "{good}", "--input-type", "uint2"],
        "good.npy",
        "UINT2",
    ),
    "number of labels": (["--samples", "{good}", "--labels", "{wide}"], "wide.npy", "35 labels"),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_bad_option(name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    onnx.save(base(), tmp_path / "model.onnx")
    arrays = {
        "good": np.full((3, 6), 0.5),
        "wide": np.zeros((5, 7)),
        "text": np.array(["a", "b", "c"]),
        "pickled": np.array([{}]),
        "nan": np.full((3, 6), np.nan),
        "nans": np.full(3, np.nan),
        "huge": np.full((3, 6), 1e300),
    }
    files = {}
    for key, array in arrays.items():
        files[key] = tmp_path / f"{key}.npy"
        np.save(files[key], array, allow_pickle=True)
    options, *names = OPTIONS[name]
    filled = [option.format(**files) if "{" in option else option for option in options]
    until = () if "--until" in filled else ("--until", "estimate")
    out = tmp_path / "out"
    arguments = ("build", tmp_path / "model.onnx", "--out", out, *until, *filled)
    code, output, errors = run_main(capfd, *arguments)
    check_refused(code, errors, out, *names)
    assert output == ""
