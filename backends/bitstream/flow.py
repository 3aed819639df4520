# SPDX-License-Identifier: Apache-2.0
"""The open flow: linked netlist with marks, nextpnr, contents into the FASM, the assembler."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from qnnc.backends.bitstream.fasm import Database, assemble, needed_database
from qnnc.backends.bitstream.fasm.bitfile import bit_file
from qnnc.backends.bitstream.netlist.contents import Contents, movable_cells, patch, shell_contents
from qnnc.backends.bitstream.netlist.for_nextpnr import adapt
from qnnc.backends.bitstream.netlist.link import link_shell
from qnnc.backends.bitstream.netlist.marks import Place, find_places, marks, put_contents
from qnnc.backends.bitstream.nextpnr import Nextpnr, route
from qnnc.backends.bitstream.nextpnr.untimed import untimed
from qnnc.backends.bitstream.prove import Proof, examine
from qnnc.backends.bitstream.shapes import FILES, Shape, check_shape, load_shape, shape_key
from qnnc.backends.bitstream.shell import Shell
from qnnc.backends.bitstream.shell.shell import TOP
from qnnc.backends.design import Design
from qnnc.backends.synthesis import synthesize
from qnnc.compiler.building.build import Build
from qnnc.compiler.errors import VerificationError, WorkspaceError
from qnnc.compiler.files import write_bytes, write_text
from qnnc.compiler.report import Implementation, ProofCheck

NETLIST, FASM, PLACES = "netlist.json", "design.fasm", "places.json"
FILLED, BIT = "accelerator.fasm", "accelerator.bit"


def make_bitstream(
    build: Build, design: Design, shell: Shell, tool: Nextpnr, folder: Path
) -> Implementation:
    """Everything from the synthesised nodes to the .bit file.

    Raises:
        TargetError: it does not fit or cannot be routed.
        ToolError, WorkspaceError: a tool or the database is at fault.
    """
    root = needed_database(build.options.prjxray_db, build.board.part)
    database = Database(root, build.board.part)
    build.progress.detail("linking the netlist")
    nodes = synthesize(design, build.options.cache, build.options.jobs)
    netlist = json.loads(link_shell(shell, nodes, build.options.cache).read_text(encoding="utf-8"))
    contents = shell_contents(shell)
    cells = movable_cells(shell)
    marked = marks({cell: contents[cell] for cell in sorted(cells)})
    adapt(netlist, TOP, contents)
    patch(netlist, TOP, {**contents, **marked})
    write_text(folder / NETLIST, json.dumps(netlist))
    routed = route(
        tool, build.board.part, folder / NETLIST, folder, build.clock_mhz, build.progress.detail
    )
    build.progress.detail("assembling the bitstream")
    fasm = routed.fasm.read_text(encoding="utf-8").splitlines()
    places = find_places(fasm, marked)
    save_places(places, folder / PLACES)
    digest = fill(fasm, places, contents, database, folder)
    patch(netlist, TOP, contents)
    write_text(folder / NETLIST, json.dumps(netlist))
    proof = prove_files(folder, root, build.board.part, build)
    return Implementation(
        flow="nextpnr",
        tool=tool.version(),
        fmax_mhz=round(routed.fmax_mhz, 2),
        seconds=routed.seconds,
        memory_mb=routed.memory_mb,
        utilisation={name: list(pair) for name, pair in routed.utilisation.items()},
        features=sum(1 for line in fasm if line.strip()),
        payload_sha256=digest,
        untimed=untimed(netlist["modules"][TOP]),
        proof=proof,
    )


def fill_shape(build: Build, shell: Shell, source: Path, folder: Path) -> Implementation:
    """A bitstream from a routed design of the same shape: its contents are put in.

    Raises:
        TargetError: it is not of the same shape, or too slow.
        WorkspaceError: it is broken, or there is no database.
    """
    part = build.board.part
    root = needed_database(build.options.prjxray_db, part)
    shape = load_shape(source)
    check_shape(shape, shape_key(shell, part), part, build.clock_mhz, source)
    for name, text in shape.texts.items():
        write_text(folder / name, text)
    places = load_places(folder / PLACES)
    if not same_cells(places, shell):
        raise WorkspaceError(f"{source} is broken: its places are not those of its shape")
    contents = shell_contents(shell)
    fasm = shape.texts[FASM].splitlines()
    digest = fill(fasm, places, contents, Database(root, part), folder)
    netlist = json.loads(shape.texts[NETLIST])
    patch(netlist, TOP, contents)
    write_text(folder / NETLIST, json.dumps(netlist))
    proof = prove_files(folder, root, part, build)
    return Implementation(
        flow="nextpnr",
        tool=f"{shape.tool}, routed before",
        fmax_mhz=shape.fmax_mhz,
        seconds=0.0,
        memory_mb=None,
        features=sum(1 for line in fasm if line.strip()),
        payload_sha256=digest,
        untimed=untimed(netlist["modules"][TOP]),
        proof=proof,
    )


def shape_of(folder: Path, build: Build, shell: Shell, made: Implementation) -> Shape:
    """The shape of a build's bitstream, with marks in the place of contents."""
    texts = {name: (folder / name).read_text(encoding="utf-8") for name in FILES}
    contents = shell_contents(shell)
    cells = sorted(movable_cells(shell))
    netlist = json.loads(texts[NETLIST])
    patch(netlist, TOP, {**contents, **marks({cell: contents[cell] for cell in cells})})
    texts[NETLIST] = json.dumps(netlist)
    part = build.board.part
    return Shape(shape_key(shell, part), part, made.fmax_mhz, made.tool, texts)


def examine_files(routed: Path, root: Path, part: str, notify: Callable[[str], None]) -> Proof:
    """Check a .bit file against the FASM and the netlist beside it; `notify` hears of each step."""
    netlist = json.loads((routed / NETLIST).read_text(encoding="utf-8"))["modules"][TOP]
    filled = (routed / FILLED).read_text(encoding="utf-8").splitlines()
    return examine((routed / BIT).read_bytes(), root, part, filled, netlist, notify)


def prove_files(routed: Path, root: Path, part: str, build: Build) -> list[ProofCheck]:
    """The same for the report of a build.

    Where only the netlist that is read back differs, the build continues with a warning: then
    all that the assembler did is right, and `qnnc prove` says more.

    Raises:
        VerificationError: it is not what was routed; the first fault is named.
    """
    proof = examine_files(routed, root, part, build.progress.detail)
    read_back = [fault for fault in proof.faults if fault.check in ("cells", "netlist")]
    others = [fault for fault in proof.faults if fault.check not in ("cells", "netlist")]
    if others:
        first = others[0]
        raise VerificationError(
            f"the bitstream is not what was placed and routed: {first.kind} at {first.where} "
            f"(net {first.net or 'unknown'}): {first.what}; {len(proof.faults)} faults in all"
        )
    if read_back:
        first = read_back[0]
        build.warn(
            f"the netlist read back from the bitstream is not the one routed: {first.kind} "
            f"at {first.where}: {first.what}; run qnnc prove on the build before using it"
        )
    return [ProofCheck(name=c.name, status=c.status, detail=c.detail) for c in proof.checks]


def fill(
    fasm: list[str],
    places: dict[str, Place],
    contents: Contents,
    database: Database,
    folder: Path,
) -> str:
    """Put contents into FASM with marks, and assemble it; the SHA-256 of the payload."""
    filled = put_contents(fasm, places, contents)
    payload = _assembled(filled, database, str(folder / FASM))
    write_text(folder / FILLED, "\n".join(filled) + "\n")
    write_bytes(folder / BIT, bit_file(payload, "accelerator", database.part, datetime.now(UTC)))
    return hashlib.sha256(payload).hexdigest()


def _assembled(filled: list[str], database: Database, where: str) -> bytes:
    """The payload; the lines are those of the router's FASM."""
    try:
        return assemble(filled, database, where)
    except WorkspaceError as error:
        raise WorkspaceError(
            f"{error}; give the prjxray database that this nextpnr's chip database was made from "
            "(--prjxray-db)"
        ) from error


def save_places(places: dict[str, Place], path: Path) -> None:
    """Write places as JSON."""
    plain = {cell: [place.feature, list(place.order)] for cell, place in places.items()}
    write_text(path, json.dumps(plain))


def load_places(path: Path) -> dict[str, Place]:
    """Places as they were written; raises WorkspaceError."""
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
        return {
            cell: Place(str(feature), tuple(map(int, order)))
            for cell, (feature, order) in plain.items()
        }
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise WorkspaceError(f"{path} is missing or broken; build the bitstream again") from error


def same_cells(places: dict[str, Place], shell: Shell) -> bool:
    """The shell's memories that can be exchanged are in just these cells."""
    return set(places) == movable_cells(shell)
