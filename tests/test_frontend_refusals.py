# SPDX-License-Identifier: Apache-2.0
"""Quantized models that cannot be compiled: exit code 2, one line, what is at fault, what to do."""

from __future__ import annotations

import time
from pathlib import Path

import onnx
import pytest

from tests.support.bad_quantized import BAD
from tests.support.build import run_main
from tests.test_bad_input import check_refused


@pytest.mark.parametrize("name", BAD)
def test_bad_quantized_model(name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    make, names = BAD[name]
    onnx.save(make(), tmp_path / "model.onnx")
    out = tmp_path / "out"
    start = time.process_time()
    code, _, errors = run_main(
        capfd, "build", tmp_path / "model.onnx", "--out", out, "--until", "estimate"
    )
    check_refused(code, errors, out, *names)
    assert time.process_time() - start < 5
