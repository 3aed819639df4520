# SPDX-License-Identifier: Apache-2.0
"""Running builds and passes in tests."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from qnnc.compiler.board import find_board
from qnnc.compiler.building.options import BuildOptions
from qnnc.compiler.building.pipeline import declaring_passes, folding_passes, lowering_passes
from qnnc.compiler.building.samples import random_inputs
from qnnc.compiler.ir.facts import name_sources
from qnnc.compiler.passes.manager import PassManager, PassRun
from qnnc.compiler.verification import Golden, Outcome, Verifier
from qnnc.frontends.qonnx import from_proto


def compile_proto(
    proto: onnx.ModelProto,
    *,
    samples: int = 32,
    fold: bool = False,
    each: bool = True,
    **options: object,
) -> tuple[ir.Model, Outcome, list[PassRun]]:
    """Take a QONNX model through all graph passes, verified after each (or only at the end);
    options as for `BuildOptions`. Returns the model, the final comparison and the passes' runs."""
    return compile_model(from_proto(proto), samples=samples, fold=fold, each=each, **options)


def compile_model(
    model: ir.Model,
    *,
    samples: int = 32,
    fold: bool = False,
    each: bool = True,
    **options: object,
) -> tuple[ir.Model, Outcome, list[PassRun]]:
    """The same for what a frontend gave."""
    verifier, runs = _compiled(model, samples, fold, each, options)
    return model, verifier.check(model), runs


def compile_with_verifier(
    given: onnx.ModelProto | ir.Model, *, samples: int, **options: object
) -> tuple[ir.Model, Verifier]:
    """A folded model, and what compares it and gives its tensors."""
    model = given if isinstance(given, ir.Model) else from_proto(given)
    verifier, _ = _compiled(model, samples, True, False, options)
    return model, verifier


def _compiled(
    model: ir.Model, samples: int, fold: bool, each: bool, options: dict[str, object]
) -> tuple[Verifier, list[PassRun]]:
    chosen = BuildOptions(model="", out=Path("unused"), **options)  # type: ignore[arg-type]
    name_sources(model)
    PassManager().run(model, declaring_passes(chosen))
    golden = Golden(model)
    verifier = Verifier(golden, random_inputs(model, golden, samples))
    manager = PassManager(verifier, each)
    runs = manager.run(model, lowering_passes(chosen))
    if fold:
        runs += manager.run(model, folding_passes(chosen, find_board(chosen.board)))
    return verifier, runs


def operators(model: ir.Model) -> list[str]:
    """Operators of a model in order."""
    return [node.op_type for node in model.graph]


def qnnc(
    arguments: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: dict[str, str] | None = None,
    timeout: float = 900,
) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "qnnc.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=timeout,
        check=False,
        env={**os.environ, "COLUMNS": "120", **(env or {})},
    )


def run_main(capfd: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    """Run the command line in this process, which is quicker: exit code, output, errors."""
    from qnnc.cli.main import main

    capfd.readouterr()
    before, sys.argv = sys.argv, ["qnnc", *map(str, arguments)]
    try:
        main()
        code = 0
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    finally:
        sys.argv = before
    output, errors = capfd.readouterr()
    return code, output, errors


def save_samples(path: Path, array: object) -> Path:
    """Write an .npy file."""
    np.save(path, np.asarray(array))
    return path
