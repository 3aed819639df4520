# SPDX-License-Identifier: Apache-2.0
"""simulate: run the stitched RTL on samples and compare every stream."""

from __future__ import annotations

import tempfile
from pathlib import Path

from qnnc.backends.rtl.stages.rtl import FOLDER, NO_DESIGN, design_of, has_design, hls_nodes
from qnnc.backends.simulation.compiler import Compilation
from qnnc.backends.simulation.simulate import (
    Pressure,
    SimulationResult,
    build_program,
    choose_engine,
    simulate,
)
from qnnc.compiler.building.backend import Stage, StageOutcome
from qnnc.compiler.building.build import Build
from qnnc.compiler.building.performance import set_rate
from qnnc.compiler.errors import quote
from qnnc.compiler.report import LevelReport

MAX_FRAMES = 64
QUICK_CYCLES = 400_000
"""Cycles that every simulator gets through in seconds."""


class SimulateStage(Stage):
    """RTL simulation, against the integers of the dataflow graph."""

    name = "simulate"
    after = "rtl"

    def run(self, build: Build) -> StageOutcome:
        if not has_design(build):
            return NO_DESIGN
        engine = choose_engine(build.options.engine)
        result = run_simulation(build, engine, frames_for(build))
        record(build, result)
        twins = ", RTL twins of HLS nodes" if hls_nodes(build) else ""
        return StageOutcome(reason=f"{result.engine}, {result.frames} frames{twins}")


def frames_for(build: Build) -> int:
    """Frames to simulate: what was asked for, or as many as are quick, at least four."""
    available = int(next(iter(build.inputs.values())).shape[0])
    if build.options.frames is not None:
        return min(build.options.frames, available)
    assert build.performance is not None
    quick = QUICK_CYCLES // build.performance.ii_cycles_estimate
    return min(available, MAX_FRAMES, max(4, quick))


def run_simulation(build: Build, engine: str, frames: int) -> SimulationResult:
    """Build the simulation's program and run it."""
    design = design_of(build)
    rtl = build.folder / FOLDER
    build.progress.detail(f"compiling the simulation ({engine})")
    with tempfile.TemporaryDirectory(prefix="qnnc-build-sim-") as work:
        how = Compilation(Path(work), build.options.cache, build.options.jobs)
        program = build_program(design, rtl, engine, how)
    build.progress.detail(f"simulating {frames} frames")
    pressure = Pressure(build.options.source, build.options.sink)
    tensors = {name: array[:frames] for name, array in build.tensors.items()}
    return simulate(design, program, rtl, engine, tensors, pressure)


def record(build: Build, result: SimulationResult) -> None:
    """Put what a simulation found into the build; raises VerificationError on a mismatch."""
    wrong = next((s for s in result.streams if s.mismatches), None)
    detail = ""
    if wrong is not None:
        where = (
            f", first in frame {wrong.first[0]} at element {wrong.first[1]}"
            if (wrong.first)
            else ""
        )
        detail = (
            f"stream {wrong.name} (tensor {quote(wrong.tensor)}) differs in "
            f"{wrong.mismatches} elements{where}"
        )
    build.verified(
        LevelReport(
            level="rtl",
            samples=result.frames,
            corner_samples=build.corners_among(result.frames),
            mismatches=result.mismatches,
            tensors=len(result.streams),
            engine=result.engine,
            random_inputs=build.random,
            detail=detail,
        ),
        "the RTL differs from the dataflow graph",
    )
    pressed = build.options.source < 100 or build.options.sink < 100
    if build.performance is not None and not pressed:
        build.performance.latency_cycles = result.latency_cycles
        if result.ii_cycles is not None:
            build.performance.ii_cycles = round(result.ii_cycles, 2)
            set_rate(build.performance)
