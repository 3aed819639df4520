# SPDX-License-Identifier: Apache-2.0
"""qnnc prove: the bitstream of a build, from its bits to the answers on the simulated board."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from qnnc.backends.bitstream.fasm import needed_database
from qnnc.backends.bitstream.flow import BIT, FILLED, NETLIST, examine_files
from qnnc.backends.bitstream.prove.proof import Proof
from qnnc.backends.bitstream.prove.routing import Fault
from qnnc.backends.bitstream.prove.verilog import write_verilog
from qnnc.backends.bitstream.simulated.run import run_on_board
from qnnc.backends.bitstream.stages.bitstream import FOLDER
from qnnc.backends.simulation import verilator
from qnnc.compiler.board import find_board
from qnnc.compiler.building.run import options_from
from qnnc.compiler.building.workspace import Workspace
from qnnc.compiler.errors import WorkspaceError


def prove(
    folder: Path,
    prjxray_db: Path | None = None,
    frames: int = 64,
    notify: Callable[[str], None] = lambda text: None,
) -> Proof:
    """Prove a build's bitstream.

    Args:
        frames: on the simulated board, at the end; 0 for none.
        notify: called with each step.

    Raises:
        WorkspaceError: the build has no bitstream by nextpnr, or no database is known.
    """
    folder = folder.absolute()
    routed = folder / FOLDER
    with Workspace(folder).reading() as settings:
        options = options_from(settings, folder)
        part = find_board(options.board).part
        root = needed_database(prjxray_db or options.prjxray_db, part)
        if not all((routed / name).is_file() for name in (BIT, FILLED, NETLIST)):
            raise WorkspaceError(
                f"{folder} has no bitstream made by nextpnr; build it with --until bitstream"
            )
        proof = examine_files(routed, root, part, notify)
    if frames == 0:
        proof.leave("board", "not asked for")
    elif proof.design is None:
        proof.leave("board", "the netlist could not be read back")
    elif not verilator.installed():
        proof.leave("board", "the simulation of the netlist read back needs Verilator")
    else:
        notify("simulating the netlist read back")
        _on_board(proof, folder, frames)
    return proof


def _on_board(proof: Proof, folder: Path, frames: int) -> None:
    design = proof.design
    assert design is not None
    result = run_on_board(
        folder, engine="verilator", count=frames, netlist=lambda s: write_verilog(design, s)
    )
    wrong = [Fault("board", "answers", f"{result.mismatches} of {result.frames} frames differ")]
    proof.add(
        "board",
        wrong if result.mismatches else [],
        f"{result.frames} frames by the shipped driver, {result.mismatches} mismatches against the "
        f"golden graph, {result.cycles / result.frames:,.1f} cycles per frame",
    )
