# SPDX-License-Identifier: Apache-2.0
"""Simulating models of dataflow nodes."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from qnnc.backends.rtl.stitch import stitch
from qnnc.backends.simulation.simulate import (
    Pressure,
    SimulationResult,
    build_program,
    choose_engine,
    simulate,
)
from qnnc.compiler.reference import Session, expand


def reference(model: ir.Model, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """All tensors of a model for frames [frames, *shape], frame by frame in ONNX Runtime."""
    session = Session(expand(model))
    frames = next(iter(inputs.values())).shape[0]
    results = [session.run({n: a[i] for n, a in inputs.items()}) for i in range(frames)]
    outputs = {name: np.stack([r[name] for r in results]) for name in results[0]}
    return {**outputs, **inputs}


def run_rtl(
    model: ir.Model,
    tensors: Mapping[str, NDArray[Any]],
    cache: Path,
    *,
    engine: str = "auto",
    pressure: Pressure | None = None,
) -> SimulationResult:
    """Stitch a model, simulate it, and compare every stream with the tensors."""
    design = stitch(model)
    chosen = choose_engine(engine)
    with tempfile.TemporaryDirectory() as name:
        rtl, work = Path(name) / "rtl", Path(name) / "work"
        work.mkdir()
        design.write(rtl)
        program = build_program(design, rtl, work, cache, chosen, 2)
        return simulate(design, program, rtl, chosen, tensors, pressure or Pressure())
