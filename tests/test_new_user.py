# SPDX-License-Identifier: Apache-2.0
"""What a new user does first, one command after the other."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.support.build import run_main

Capture = pytest.CaptureFixture[str]


def test_from_the_example_to_a_comparison(
    capfd: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    code, output, errors = run_main(capfd, "example", "tfc")
    assert code == 0, errors
    said = shlex.split(output.splitlines()[-1])
    assert said[:2] == ["qnnc", "build"]
    quick = ("--until", "estimate", "--cache-dir", cache)
    code, output, errors = run_main(capfd, *said[1:], *quick)
    assert code == 0, errors
    assert "correct 193 of 200 (96.50 %)" in output and "dataflow: 0 mismatches" in output
    samples = ("--samples", "tfc/samples.npy", "--labels", "tfc/labels.npy")
    code, output, errors = run_main(capfd, "verify", "build/tfc", *samples)
    assert code == 0 and "same as golden 200 of 200" in output
    network = said[2:8]
    assert network[0] == "tfc/tfc_w2a2.onnx"
    declared = ("--input-type", "uint8", "--input-scale", "1/255", "--top-k", "1")
    code, output, errors = run_main(
        capfd, "sweep", network[0], *declared, "--fps", "20000,200000", "--memory", "balanced"
    )
    assert code == 0, errors
    assert "2 points: sweep/sweep.csv" in output
    fastest = re.search(r"^ *[\d,]+ .*(\d\d)\.yaml", output, re.MULTILINE)
    assert fastest is not None
    folding = ("--folding", f"sweep/foldings/{fastest[1]}.yaml", "--out", "build/fast")
    code, _, errors = run_main(
        capfd, "build", network[0], *declared, *folding, *quick, "--verify", "none"
    )
    assert code == 0, errors
    code, output, errors = run_main(capfd, "compare", "build/tfc", "build/fast")
    assert code == 0 and "frames/s" in output and re.search(r"mvau_\d: .*SIMD \d+ → \d+", output)
    assert (tmp_path / "build/fast/report.html").is_file()
