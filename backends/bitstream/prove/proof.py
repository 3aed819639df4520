# SPDX-License-Identifier: Apache-2.0
"""Every check of a .bit file, one line each."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from qnnc.backends.bitstream.fasm import Database
from qnnc.backends.bitstream.prove.cells import Extraction
from qnnc.backends.bitstream.prove.equal import Equality, known_nets
from qnnc.backends.bitstream.prove.extract import extraction
from qnnc.backends.bitstream.prove.features import BitDatabase, Decoded, decode, tiles_at
from qnnc.backends.bitstream.prove.names import Lookup, differences, recorded, route_names
from qnnc.backends.bitstream.prove.packets import FRAME_WORDS, Loaded, check_codes, load, payload_of
from qnnc.backends.bitstream.prove.routing import Fault, Routing
from qnnc.backends.bitstream.prove.wanted import unreadable
from qnnc.backends.bitstream.prove.wires import Wires, has_connectivity
from qnnc.compiler.errors import VerificationError

Status = Literal["passed", "failed", "not done"]
_DEPTH = 20_000
"""Of Python's stack, for carry chains and cones that are walked recursively."""


@dataclass(frozen=True)
class Check:
    """One line of the proof."""

    name: str
    status: Status
    detail: str


@dataclass
class Proof:
    """What was checked.

    Attributes:
        checks: in their order.
        faults: everything found wrong, with tile and net.
        design: cells read back, for the simulation; None if that was not possible.
    """

    checks: list[Check] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    design: Extraction | None = None

    @property
    def failed(self) -> bool:
        """Some check failed."""
        return any(check.status == "failed" for check in self.checks)

    def add(self, name: str, faults: Iterable[Fault], detail: str) -> None:
        """A check with what it found."""
        found = list(faults)
        for fault in found:
            fault.check = name
        self.faults += found
        if found:
            detail = f"{len(found)} wrong; {detail}"
        self.checks.append(Check(name, "failed" if found else "passed", detail))

    def leave(self, name: str, why: str) -> None:
        """A check that was not done."""
        self.checks.append(Check(name, "not done", why))


def examine(
    data: bytes,
    root: Path,
    part: str,
    fasm: list[str] | None = None,
    module: Mapping[str, Any] | None = None,
    notify: Callable[[str], None] = lambda text: None,
) -> Proof:
    """Check a .bit file.

    Args:
        data: the file.
        root: family folder of a prjxray database.
        fasm: what the bits should say, with the router's comments.
        module: the flat netlist that was placed and routed, with its contents.
        notify: called with each step.

    Raises:
        WorkspaceError: it is not a .bit file of this device, or the database is broken.
    """
    database = BitDatabase(root, part, Database(root, part).fabric)
    proof = Proof()
    notify("reading the packets")
    device = load(payload_of(data), [len(row) for row in database.rows])
    _packets(proof, device, database)
    notify("finding features")
    decoded = decode(device.frames, database)
    wanted, nets = recorded([*(fasm or ()), *_required(root, part)], database)
    wires = names = lookup = None
    if has_connectivity(root, database.fabric):
        wires = Wires(database)
        names = route_names(nets, wires)
        lookup = Lookup(wires, names)
    _bits(proof, device, decoded, database)
    if fasm is not None:
        faults = differences(decoded.tiles, wanted, nets, lookup)
        proof.add("record", faults, f"{decoded.count:,} features, those of the recorded FASM")
    else:
        proof.leave("record", "no FASM to compare with")
    if wires is None or names is None:
        why = f"{root} does not say how wires are connected (tileconn.json, tile_type_*.json)"
        for name in ("drivers", "clocks", "netlist"):
            proof.leave(name, why)
        return proof
    notify("following wires")
    _connections(proof, wires, names, decoded, module, notify)
    return proof


def _required(root: Path, part: str) -> list[str]:
    """Features that every design for the part has."""
    path = root / part / "required_features.fasm"
    return ["", *path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []


def _packets(proof: Proof, device: Loaded, database: BitDatabase) -> None:
    faults = [Fault("packets", "header", text) for text in device.faults]
    if device.idcode != database.idcode:
        faults.append(Fault("packets", "IDCODE", f"{device.idcode or 0:08x} is another device"))
    detail = f"device {database.part}, {len(device.frames):,} frames, {device.checksums} CRC words"
    proof.add("packets", faults, detail)


def _bits(proof: Proof, device: Loaded, decoded: Decoded, database: BitDatabase) -> None:
    addresses = list(database.numbers)
    codes = []
    wrong = check_codes(device.frames)
    places = tiles_at(((frame, bit) for frame, bit in wrong if bit is not None), database)
    for frame, bit in wrong:
        where = f"frame 0x{addresses[frame]:08x}"
        tiles = ""
        if bit is not None:
            tiles = " or ".join(places[frame, bit])
            where += f", word {bit // 32} bit {bit % 32}"
        codes.append(Fault("check bits", f"{tiles or 'check bits'} ({where})",
                           "the frame's check bits do not fit"))  # fmt: skip
    proof.add("check bits", codes, f"{len(device.frames):,} frames of {FRAME_WORDS} words")
    left = [
        Fault(
            "unexplained bit",
            f"{' or '.join(tiles) or 'no tile'} (frame 0x{addresses[frame]:08x}, word {bit // 32} "
            f"bit {bit % 32})",
            "no feature explains it",
        )
        for frame, bit, tiles in decoded.unexplained
    ]
    proof.add(
        "bits", left, f"{decoded.set_bits:,} bits set, explained by {decoded.count:,} features"
    )


def _connections(
    proof: Proof,
    wires: Wires,
    names: Mapping[int, str],
    decoded: Decoded,
    module: Mapping[str, Any] | None,
    notify: Callable[[str], None],
) -> None:
    routing = Routing.of(wires, decoded.tiles)
    for fault in routing.faults:
        tile, _, wire = fault.where.partition(".")
        fault.net = names.get(wires.node(tile, wire), "")
    proof.add("drivers", routing.faults, f"{routing.count:,} pips, each wire with one driver")
    missing = unreadable(module) if module is not None else []
    why = f"the netlist has {', '.join(missing)}, which cannot be read back" if missing else ""
    if module is not None and not names:
        why = "the FASM does not say which net a route is of"
    if why:
        proof.leave("clocks", why)
        proof.leave("netlist", why)
        return
    design = extraction(routing)
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, _DEPTH))
    try:
        design.run()
        _clocks(proof, design)
        if design.faults:
            proof.add("cells", design.faults.values(), "cells that cannot be read back")
        if module is None:
            proof.leave("netlist", "no netlist to compare with")
        else:
            notify("comparing with the netlist")
            known = known_nets(design, names, module)
            result = Equality(design.cells, design.outputs, known, module).run()
            elements = ", ".join(f"{n:,} {kind}" for kind, n in sorted(result.elements.items()))
            proof.add(
                "netlist",
                result.faults,
                f"equal to what was routed, by truth tables: {result.functions:,} functions, "
                f"{elements}, {result.pins:,} pins of the processing system",
            )
        if not design.faults:
            proof.design = design
    except (VerificationError, RecursionError) as error:
        text = "a combinational loop" if isinstance(error, RecursionError) else str(error)
        proof.add(
            "netlist", [Fault("netlist", text.partition(":")[0], text)], "cannot be read back"
        )
    finally:
        sys.setrecursionlimit(limit)


def _clocks(proof: Proof, design: Extraction) -> None:
    clocks: dict[str, int] = {}
    wrong = []
    for cell in design.cells.values():
        for pin in ("C", "CLKARDCLK", "CLKBWRCLK"):
            if pin not in cell.pins or (cell.kind == "RAMB18" and not _used(cell.settings, pin)):
                continue
            net = cell.pins[pin]
            clocks[net] = clocks.get(net, 0) + 1
            if net != "PS7.FCLKCLK0":
                wrong.append(Fault("clock", cell.name, f"its {pin} is {net}, not FCLK_CLK0"))
    count = clocks.get("PS7.FCLKCLK0", 0)
    buffers = ", ".join(sorted(design.buffers)) or "no buffer"
    proof.add("clocks", wrong, f"{count:,} clock pins at FCLK_CLK0, through {buffers}")


def _used(settings: Mapping[str, int | str], pin: str) -> bool:
    port = "A" if pin == "CLKARDCLK" else "B"
    return bool(settings[f"READ_WIDTH_{port}"] != 1 or settings[f"WRITE_WIDTH_{port}"] != 1)
