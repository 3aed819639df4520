# SPDX-License-Identifier: Apache-2.0
"""driver: the shell's sources, scripts for Vivado, and the package without its bitstream."""

from __future__ import annotations

from pathlib import Path

from qnnc import __version__
from qnnc.backends.bitstream.netlist.contents import SMALL, movable
from qnnc.backends.bitstream.package.pace import pace_of
from qnnc.backends.bitstream.package.package import Source, write_package
from qnnc.backends.bitstream.shell import Shell, make_shell
from qnnc.backends.bitstream.shell.shell import build_id
from qnnc.backends.bitstream.vivado.scripts import write_scripts
from qnnc.backends.rtl.stages.rtl import design_of, not_in_rtl
from qnnc.compiler.building.backend import Stage, StageOutcome
from qnnc.compiler.building.build import Build

SHELL, VIVADO, PACKAGE = "shell", "vivado", "package"


class DriverStage(Stage):
    """Everything for the board but the bitstream."""

    name = "driver"
    after = "ip"
    products = (SHELL, VIVADO, PACKAGE, f"{PACKAGE}.zip")

    def run(self, build: Build) -> StageOutcome:
        missing_rtl = not_in_rtl(build)
        if missing_rtl:
            return StageOutcome("skipped", missing_rtl)
        shell = make_build_shell(build)
        build.keep(shell)
        shell.write(build.folder / SHELL)
        write_scripts(shell, build.board, build.clock_mhz, build.folder / VIVADO, f"../{SHELL}")
        package_build(build, shell, None)
        build.artifacts.driver = PACKAGE
        return StageOutcome(reason=_fixed(build))


def _fixed(build: Build) -> str:
    """What `qnnc update` will not be able to change."""
    instances = design_of(build).instances
    memories = [m for i in instances for m in i.rtl.memories.values()]
    fixed = sum(memory.fixed for memory in memories)
    small = sum(not memory.fixed and not movable(memory) for memory in memories)
    parts = []
    layers = sum(i.node.in_logic(i.node.folding()) for i in instances)
    if layers:
        parts.append(
            f"{layers} layers' weights that are part of the logic (--updatable moves them)"
        )
    if fixed:
        parts.append(f"{fixed} tables that are part of the logic (--updatable moves them)")
    if small:
        parts.append(f"{small} tables of up to {SMALL} words")
    return f"qnnc update cannot change {' and '.join(parts)}" if parts else ""


def make_build_shell(build: Build) -> Shell:
    """The shell of a build that has its design; its name covers model, board and clock."""
    design = design_of(build)
    name = build_id(design, build.board.name, f"{build.clock_mhz}")
    return make_shell(design, build.board, name, build.clock_mhz)


def shell_of(build: Build) -> Shell:
    """The shell that the driver stage has left."""
    shell = build.kept(Shell)
    assert shell is not None, "the driver stage comes first"
    return shell


def package_build(build: Build, shell: Shell, bitstream: Path | None) -> None:
    """Write the package of a build."""
    source = Source(
        shell,
        build.board,
        build.clock_mhz,
        pace_of(shell, build.layers),
        build.folder / "model",
        build.inputs,
        bitstream,
        __version__,
    )
    write_package(source, build.folder / PACKAGE)
