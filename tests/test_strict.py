# SPDX-License-Identifier: Apache-2.0
"""NumPy's divisions by zero, overflows and invalid operations are errors in every stage."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from benchmarks.networks import MlpSpec, mlp
from qnnc.compiler import api
from qnnc.compiler.building import answers, compile_stages, final_check
from qnnc.compiler.errors import ModelError
from qnnc.compiler.strict import strict_numbers

ZERO, LARGE = np.zeros(3, np.float32), np.full(3, 1e38, np.float32)
WRONG: dict[str, Callable[[], object]] = {
    "divide by zero": lambda: LARGE / ZERO,
    "overflow": lambda: LARGE * LARGE,
    "invalid value": lambda: ZERO / ZERO,
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_goes_wrong_is_said_and_where(kind: str) -> None:
    with pytest.raises(ModelError, match=f"in pass x, .*{kind}") as error, strict_numbers("pass x"):
        WRONG[kind]()
    assert "\n" not in str(error.value)
    with strict_numbers("pass x"), np.errstate(all="ignore"):
        WRONG[kind]()


def test_tiny_numbers_may_vanish() -> None:
    with strict_numbers("pass x"):
        assert not (np.float32([1e-30]) * np.float32([1e-30])).any()


@pytest.mark.parametrize(
    ("module", "name", "stage"),
    [
        (compile_stages, "load_model", "passes"),
        (final_check, "corner_samples", "passes"),
        (compile_stages, "write_model", "passes"),
        (compile_stages, "total_of", "estimate"),
    ],
)
@pytest.mark.parametrize("kind", WRONG)
def test_no_stage_of_a_build_goes_on(
    module: object,
    name: str,
    stage: str,
    kind: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = tmp_path / "model.onnx"
    onnx.save(mlp(MlpSpec((6, 4), 2, 2, "relu", 2)), model)
    monkeypatch.setattr(module, name, lambda *_, **__: WRONG[kind]())
    with pytest.raises(ModelError, match=f"in stage {stage}, .*{kind}"):
        api.compile(model, out=tmp_path / "out")


def test_no_verification_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tmp_path / "model.onnx"
    onnx.save(mlp(MlpSpec((6, 4), 2, 2, "relu", 2)), model)
    api.compile(model, out=tmp_path / "out")
    np.save(tmp_path / "x.npy", np.zeros((2, 6), np.float32))
    monkeypatch.setattr(answers, "near_ties", lambda *_: WRONG["overflow"]())
    with pytest.raises(ModelError, match=r"in verification, .*overflow"):
        api.verify(tmp_path / "out", tmp_path / "x.npy")
