# SPDX-License-Identifier: Apache-2.0
"""qnnc update: another model of the same shape into a build's bitstream."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from qnnc.backends.bitstream.fasm import Database, needed_database
from qnnc.backends.bitstream.flow import (
    FASM,
    NETLIST,
    PLACES,
    fill,
    load_places,
    same_cells,
)
from qnnc.backends.bitstream.netlist.contents import movable, patch, shell_contents
from qnnc.backends.bitstream.shell import Shell
from qnnc.backends.bitstream.shell.shell import TOP
from qnnc.backends.bitstream.stages.bitstream import FOLDER, NAME
from qnnc.backends.bitstream.stages.driver import PACKAGE, SHELL, make_build_shell, package_build
from qnnc.backends.design import Design, Memory
from qnnc.backends.rtl.resimulate import remake
from qnnc.backends.rtl.stages.ip import FOLDER as IP
from qnnc.backends.rtl.stages.ip import IpStage
from qnnc.backends.rtl.stages.rtl import FOLDER as RTL
from qnnc.backends.rtl.stages.rtl import RtlStage, design_of
from qnnc.compiler.board import find_board
from qnnc.compiler.building.build import Build
from qnnc.compiler.building.compile_stages import EstimateStage, PassesStage
from qnnc.compiler.building.run import options_from, settings_of, write_report
from qnnc.compiler.building.workspace import MARKER, MODEL, REPORT, Workspace, read_report
from qnnc.compiler.errors import ModelError, WorkspaceError
from qnnc.compiler.files import remove, write_text
from qnnc.compiler.folders import copy_own
from qnnc.compiler.ir.facts import sources
from qnnc.compiler.progress import Silent

PARTS = (MODEL, RTL, IP, SHELL, PACKAGE, f"{PACKAGE}.zip")
"""Files and folders of a build that are rewritten."""
UNPROVED = "the contents were exchanged after this check; qnnc prove does it for the new ones"


def update(
    folder: Path,
    model: str,
    prjxray_db: Path | None = None,
    *,
    force: bool = False,
    notify: Callable[[str], None] = lambda text: None,
) -> str:
    """Put another model into a build that has a bitstream by the open flow.

    The new model is compiled and verified as in a build; then contents of memories are exchanged
    in the FASM, the netlist, the RTL, the IP and the package, in a copy of the build that then
    takes its place.

    Args:
        model: with the same topology, types and folding as the build's.
        prjxray_db: family folder of a prjxray database; by default the build's.
        force: replace files of the build that were changed since, too.
        notify: called with what that is.

    Returns:
        The SHA-256 of the new configuration payload.

    Raises:
        ModelError: it differs in more than contents of memories.
        WorkspaceError: the folder is not a build with a bitstream by nextpnr.
    """
    folder = folder.absolute()
    routed = folder / FOLDER
    if not all((routed / name).is_file() for name in (FASM, PLACES, NETLIST)):
        raise WorkspaceError(
            f"{folder} has no bitstream made by nextpnr; build it with --until bitstream"
        )
    workspace = Workspace(folder)
    with workspace.reading() as settings:
        pass
    with (
        workspace.claimed(settings, PARTS, force=force, inputs=[Path(model)]),
        tempfile.TemporaryDirectory(prefix="qnnc-update-") as name,
    ):
        scratch = Path(name)
        before = remake(folder, scratch / "old")
        build = _compiled(settings, model, scratch / "new", before.chosen_mhz)
        design = design_of(build)
        check_same(design_of(before), design)
        root = needed_database(prjxray_db or build.options.prjxray_db, build.board.part)
        database = Database(root, build.board.part)
        shell = make_build_shell(build)
        copy_own(folder, workspace.folder)
        digest = _exchange(shell, database, workspace.path(FOLDER))
        IpStage().run(build)
        package_build(build, shell, workspace.path(FOLDER) / NAME)
        shell.write(build.folder / SHELL)
        for part in PARTS:
            remove(workspace.path(part))
            shutil.move(build.folder / part, workspace.path(part))
        _record(workspace, build, digest)
        workspace.finish(notify)
    return digest


def _compiled(
    settings: Mapping[str, Any], model: str, scratch: Path, chosen_mhz: float | None
) -> Build:
    options = replace(options_from(settings, scratch), model=str(Path(model).absolute()))
    build = Build(options, find_board(options.board), Workspace(scratch), Silent())
    build.chosen_mhz = chosen_mhz
    for stage in (PassesStage(), EstimateStage(), RtlStage()):
        stage.run(build)
    return build


def check_same(old: Design, new: Design) -> None:
    """Raise ModelError, naming the first difference, unless only contents of memories differ."""
    if len(old.instances) != len(new.instances):
        raise ModelError(
            f"the new model gives {len(new.instances)} nodes, the build has {len(old.instances)}; "
            "build it again"
        )
    for before, after in zip(old.instances, new.instances, strict=True):
        where = f"node {after.name} ({', '.join(sources(after.node.node)) or after.node.op_type})"
        same = before.node.op_type == after.node.op_type and before.rtl.text == after.rtl.text
        if before.node.in_logic(before.node.folding()) and not same:
            raise ModelError(
                f"{where} has its weights in the logic: other ones need place and route; build "
                "with --updatable to keep weights in memories"
            )
        if before.rtl.module != after.rtl.module:
            raise ModelError(
                f"{where} of the new model has another shape, type or folding; build it again"
            )
        for name, memory in before.rtl.memories.items():
            other = after.rtl.memories[name]
            if (memory.width, len(memory.words)) != (other.width, len(other.words)):
                raise ModelError(f"{where} of the new model has another {name}; build it again")
            if not movable(memory) and list(memory.words) != list(other.words):
                raise ModelError(f"{where} of the new model has another {name}, {_why(memory)}")
    if old.sources != new.sources:
        raise ModelError("the new model gives another accelerator; build it again")


def _why(memory: Memory) -> str:
    if memory.fixed:
        return "which is part of the logic; build with --updatable to keep such tables in memories"
    return f"a table of {len(memory.words)} words, too small to be exchanged; build it again"


def _exchange(shell: Shell, database: Database, routed: Path) -> str:
    places = load_places(routed / PLACES)
    if not same_cells(places, shell):
        raise WorkspaceError(f"{routed / PLACES} is not of this build; build the bitstream again")
    contents = shell_contents(shell)
    fasm = (routed / FASM).read_text(encoding="utf-8").splitlines()
    digest = fill(fasm, places, contents, database, routed)
    netlist = json.loads((routed / NETLIST).read_text(encoding="utf-8"))
    patch(netlist, TOP, contents)
    write_text(routed / NETLIST, json.dumps(netlist))
    return digest


def _record(workspace: Workspace, build: Build, digest: str) -> None:
    options = replace(build.options, out=workspace.home)
    write_text(workspace.path(MARKER), json.dumps(settings_of(options), indent=2) + "\n")
    report = read_report(workspace.path(REPORT))
    report.model = options.model
    report.verification.levels = build.levels
    if report.implementation is not None:
        report.implementation.payload_sha256 = digest
        report.implementation.proof = [
            check.model_copy(update={"status": "not done", "detail": UNPROVED})
            for check in report.implementation.proof
        ]
    write_report(report, None, workspace)
