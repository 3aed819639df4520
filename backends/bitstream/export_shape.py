# SPDX-License-Identifier: Apache-2.0
"""qnnc shape: the routed design of a build as a file."""

from __future__ import annotations

import tempfile
from pathlib import Path

from qnnc.backends.bitstream.flow import shape_of
from qnnc.backends.bitstream.shapes import FILES, save_shape
from qnnc.backends.bitstream.stages.bitstream import FOLDER
from qnnc.backends.bitstream.stages.driver import SHELL, make_build_shell
from qnnc.backends.rtl.resimulate import remake
from qnnc.compiler.building.workspace import REPORT, Workspace, read_report
from qnnc.compiler.errors import WorkspaceError


def export_shape(folder: Path, out: Path) -> str:
    """Write the shape of a build's bitstream; returns its key.

    Raises:
        WorkspaceError: the build has no bitstream by nextpnr, or `out` is there already.
    """
    folder = folder.absolute()
    routed = folder / FOLDER
    if not all((routed / name).is_file() for name in FILES):
        raise WorkspaceError(
            f"{folder} has no bitstream made by nextpnr; build it with --until bitstream"
        )
    workspace = Workspace(folder)
    with workspace.reading(), tempfile.TemporaryDirectory(prefix="qnnc-shape-") as name:
        made = read_report(folder / REPORT).implementation
        if made is None or made.flow != "nextpnr":
            raise WorkspaceError(f"{folder} has no bitstream made by nextpnr")
        build = remake(folder, Path(name))
        shell = make_build_shell(build)
        for source, text in {**shell.design.sources, **shell.top_sources}.items():
            path = folder / SHELL / source
            if not path.is_file() or path.read_text(encoding="utf-8") != text:
                raise WorkspaceError(
                    f"{path} is not what this version of qnnc makes; build the bitstream again"
                )
        shape = shape_of(routed, build, shell, made)
        save_shape(shape, out)
    return shape.key
