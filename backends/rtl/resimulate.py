# SPDX-License-Identifier: Apache-2.0
"""Simulating an earlier build again, with other samples or under back-pressure."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from qnnc.backends.rtl.stages.rtl import FOLDER, RtlStage, design_of
from qnnc.backends.rtl.stages.simulate import frames_for
from qnnc.backends.simulation.compiler import Compilation
from qnnc.backends.simulation.simulate import (
    Pressure,
    SimulationResult,
    build_program,
    choose_engine,
    simulate,
)
from qnnc.compiler.board import find_board
from qnnc.compiler.building.build import Build
from qnnc.compiler.building.compile_stages import EstimateStage, PassesStage
from qnnc.compiler.building.options import AUTO
from qnnc.compiler.building.run import options_from
from qnnc.compiler.building.workspace import REPORT, Workspace, read_report
from qnnc.compiler.errors import OptionError, WorkspaceError
from qnnc.compiler.progress import Silent
from qnnc.compiler.strict import strict_numbers


def remake(folder: Path, scratch: Path, **changes: Any) -> Build:
    """Make the design of a build again, as its settings say, in a scratch folder.

    Args:
        changes: options to change; those that are None stay.

    Raises:
        WorkspaceError: the folder holds no build, or its RTL is not what the settings give.
    """
    folder = folder.absolute()
    options = options_from(Workspace(folder).settings(), scratch)
    given = {name: value for name, value in changes.items() if value is not None}
    options = replace(options, verify="none", save_ir=None, **given)
    build = Build(options, find_board(options.board), Workspace(scratch), Silent())
    if options.clock_mhz == AUTO:
        build.chosen_mhz = read_report(Workspace(folder).path(REPORT)).clock_mhz
    for stage in (PassesStage(), EstimateStage(), RtlStage()):
        stage.run(build)
    design = design_of(build)
    top = folder / FOLDER / f"{design.top}.sv"
    if not top.is_file() or top.read_text(encoding="utf-8") != design.sources[top.name]:
        raise WorkspaceError(
            f"the RTL in {folder} is not what its settings give (another version of qnnc, or "
            "another model since); build again"
        )
    return build


@strict_numbers("simulation")
def resimulate(
    folder: Path, engine: str, samples: Path | None, frames: int | None, pressure: Pressure
) -> SimulationResult:
    """Make the design of a build again, as its settings say, and simulate it.

    Raises:
        WorkspaceError: the folder holds no build, or its RTL is not what the settings give.
        OptionError: there are fewer samples than frames.
    """
    folder = folder.absolute()
    with (
        Workspace(folder).reading(),
        tempfile.TemporaryDirectory(prefix="qnnc-resimulate-") as scratch,
    ):
        build = remake(folder, Path(scratch), frames=frames, samples=samples)
        options, design = build.options, design_of(build)
        chosen = choose_engine(engine)
        count = frames_for(build)
        if frames is not None and count < frames:
            raise OptionError(
                f"--frames asks for {frames} frames, but {options.samples} has {count}"
            )
        how = Compilation(Path(scratch), options.cache, options.jobs)
        program = build_program(design, folder / FOLDER, chosen, how)
        tensors = {name: array[:count] for name, array in build.tensors.items()}
        return simulate(design, program, folder / FOLDER, chosen, tensors, pressure)
