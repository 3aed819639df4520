# SPDX-License-Identifier: Apache-2.0
"""bitstream: place and route with what tools there are, and the .bit file."""

from __future__ import annotations

import shutil
from pathlib import Path

from qnnc.backends.bitstream.fasm import database_root
from qnnc.backends.bitstream.fasm.database import NO_DATABASE
from qnnc.backends.bitstream.flow import fill_shape, make_bitstream
from qnnc.backends.bitstream.nextpnr.tool import GET, Nextpnr, find_nextpnr
from qnnc.backends.bitstream.stages.driver import package_build, shell_of
from qnnc.backends.bitstream.vivado.run import run_vivado
from qnnc.backends.rtl.stages.rtl import design_of, not_in_rtl
from qnnc.compiler.board import Board
from qnnc.compiler.building.backend import Stage, StageOutcome
from qnnc.compiler.building.build import Build
from qnnc.compiler.clock import highest_clock
from qnnc.compiler.errors import TargetError, ToolError
from qnnc.compiler.report import Implementation

FOLDER = "bitstream"
NAME = "accelerator.bit"


class BitstreamStage(Stage):
    """nextpnr with a prjxray database, or else Vivado."""

    name = "bitstream"
    after = "driver"
    products = (FOLDER,)

    def run(self, build: Build) -> StageOutcome:
        missing_rtl = not_in_rtl(build)
        if missing_rtl:
            return StageOutcome("skipped", missing_rtl)
        folder = build.folder / FOLDER
        if build.options.from_shape is not None:
            folder.mkdir(parents=True, exist_ok=True)
            result = fill_shape(build, shell_of(build), build.options.from_shape, folder)
            return _finished(build, result, folder)
        nextpnr, missing = _nextpnr(build)
        vivado = shutil.which("vivado") if build.options.flow in ("auto", "vivado") else None
        if nextpnr is not None and not missing:
            folder.mkdir(parents=True, exist_ok=True)
            result = make_bitstream(build, design_of(build), shell_of(build), nextpnr, folder)
        elif vivado is not None:
            folder.mkdir(parents=True, exist_ok=True)
            result = run_vivado(build, Path(vivado), folder)
        elif build.options.until == self.name:
            raise ToolError(f"no tool for a bitstream: {missing}, or put Vivado on PATH")
        else:
            return StageOutcome("skipped", missing)
        return _finished(build, result, folder)


def _finished(build: Build, result: Implementation, folder: Path) -> StageOutcome:
    build.implementation = result
    check_timing(result, build.clock_mhz, build.board)
    package_build(build, shell_of(build), folder / NAME)
    build.artifacts.bitstream = f"{FOLDER}/{NAME}"
    return StageOutcome(reason=f"{result.tool}, {result.fmax_mhz:g} MHz")


def _nextpnr(build: Build) -> tuple[Nextpnr | None, str]:
    """A nextpnr to use, and what is missing for a bitstream without Vivado."""
    options = build.options
    if options.flow == "vivado":
        return None, "--flow vivado needs vivado on PATH"
    found = find_nextpnr(build.board.part, options.nextpnr, options.chipdb)
    if found is None:
        return None, f"no nextpnr was found: {GET}"
    if database_root(options.prjxray_db, build.board.part) is None:
        return found, NO_DATABASE
    return found, ""


def check_timing(result: Implementation, clock_mhz: float, board: Board) -> None:
    """Raise TargetError if the clock is not reached; it names the highest one that is."""
    if result.fmax_mhz < clock_mhz:
        lower = highest_clock(board.pll_mhz, result.fmax_mhz)
        slower = f"set --clock-mhz {lower:.6g}, or " if lower is not None else "set "
        raise TargetError(
            f"placed and routed, the design reaches {result.fmax_mhz:g} MHz of the {clock_mhz:.6g} "
            f"asked for; {slower}a smaller --fps or --budget"
        )
