# SPDX-License-Identifier: Apache-2.0
"""Simulating models of dataflow nodes."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from qnnc.backends.design import Design
from qnnc.backends.rtl.stitch import stitch
from qnnc.backends.simulation.compiler import Compilation
from qnnc.backends.simulation.simulate import (
    Pressure,
    SimulationResult,
    build_program,
    choose_engine,
    simulate,
)
from qnnc.backends.yosys import share_folder
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
    cells: bool = False,
) -> SimulationResult:
    """Stitch a model, simulate it, and compare every stream with the tensors.

    Args:
        cells: take the library's DSP blocks, LUTs and carry chains as the primitives that go into
            synthesis, with Yosys's models of them.
    """
    design = with_cells(stitch(model)) if cells else stitch(model)
    chosen = choose_engine(engine)
    with tempfile.TemporaryDirectory() as name:
        rtl, work = Path(name) / "rtl", Path(name) / "work"
        work.mkdir()
        design.write(rtl)
        program = build_program(design, rtl, chosen, Compilation(work, cache, 2, short=True))
        return simulate(design, program, rtl, chosen, tensors, pressure or Pressure())


PRIMITIVES = {
    "QNNC_XILINX_DSP": ("DSP48E1",),
    "QNNC_XILINX_LUT": ("CARRY4", "LUT6", "LUT6_2"),
}
"""Cells that a library file may instantiate under a macro."""


def with_cells(design: Design) -> Design:
    """The design with every library file's primitives in use, and models of the cells."""
    models = (share_folder() / "xilinx" / "cells_sim.v").read_text(encoding="utf-8")
    parts = dict(design.parts)
    given: set[str] = set()
    for file, text in design.library.items():
        for macro, cells in PRIMITIVES.items():
            if f"`ifdef {macro}" not in text:
                continue
            parts[file] = f"`define {macro}\n{parts[file]}"
            for cell in sorted(set(cells) - given):
                found = re.search(
                    rf"^module {cell}\b.*?^endmodule", models, re.MULTILINE | re.DOTALL
                )
                assert found is not None
                parts[file] += found[0] + "\n"
            given.update(cells)
    return replace(design, parts=parts)
