# SPDX-License-Identifier: Apache-2.0
"""Finding a nextpnr and its chip database."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from qnnc.compiler.errors import ToolError

HIMBAECHEL, XILINX = "nextpnr-himbaechel", "nextpnr-xilinx"
PROGRAMS = {
    "nextpnr-himbaechel": HIMBAECHEL,
    "nextpnr-himbaechel-xilinx": HIMBAECHEL,
    "nextpnr-xilinx": XILINX,
}
"""Flavour of each program that is looked for, the first one first; the second is Debian's name."""
GET = (
    "put nextpnr-himbaechel or nextpnr-xilinx on PATH or name it with --nextpnr (Debian's package "
    "nextpnr-himbaechel-xilinx and openXC7's toolchain releases bring its chip database)"
)


@dataclass(frozen=True)
class Nextpnr:
    """A nextpnr that can place and route for a part.

    Attributes:
        program: its path.
        flavour: "nextpnr-himbaechel" or "nextpnr-xilinx".
        chipdb: its chip database for the part.
    """

    program: Path
    flavour: str
    chipdb: Path

    def version(self) -> str:
        """What it calls itself."""
        done = subprocess.run(
            [str(self.program), "--version"], capture_output=True, text=True, check=False
        )
        lines = (done.stdout + done.stderr).strip().splitlines()
        return lines[0].replace('"', "")[:120] if lines else self.flavour

    def arguments(self, part: str, netlist: Path, fasm: Path, clock_mhz: float) -> list[str]:
        """Its command line, without the report."""
        common = ["--json", str(netlist), "--freq", f"{clock_mhz:g}", "--timing-allow-fail"]
        if self.flavour == HIMBAECHEL:
            own = ["--device", part, "--chipdb", str(self.chipdb), "-o", f"fasm={fasm}"]
        else:
            own = ["--chipdb", str(self.chipdb), "--fasm", str(fasm)]
        return [str(self.program), *own, *common]


def find_nextpnr(part: str, program: str = "", chipdb: Path | None = None) -> Nextpnr | None:
    """The nextpnr to use, or None if there is none on PATH.

    Args:
        program: name or path of one, instead of looking on PATH.
        chipdb: its chip database, instead of looking beside it and in NEXTPNR_CHIPDB.

    Raises:
        ToolError: the program that was named, or a chip database, is missing.
    """
    if program:
        found = shutil.which(program)
        if found is None:
            raise ToolError(f"{program} (--nextpnr) is not a program; {GET}")
        flavour = XILINX if XILINX in Path(found).name else HIMBAECHEL
    else:
        names = [(flavour, shutil.which(name)) for name, flavour in PROGRAMS.items()]
        present = [(flavour, path) for flavour, path in names if path is not None]
        if not present:
            return None
        flavour, found = present[0]
    path = Path(found).resolve()
    return Nextpnr(path, flavour, chipdb or _chipdb(path, flavour, part))


def _chipdb(program: Path, flavour: str, part: str) -> Path:
    """A chip database where tool packages put it."""
    found = re.match(r"xc7[a-z]\d+t?", part)
    device = found.group() if found else part
    names = [f"chipdb-{device}.bin", f"{device}.bin", f"{part}.bin", f"chipdb-{part}.bin"]
    prefix = program.parent.parent
    folders = [
        *([Path(os.environ["NEXTPNR_CHIPDB"])] if os.environ.get("NEXTPNR_CHIPDB") else []),
        prefix / "share" / "nextpnr" / "himbaechel" / "xilinx",
        prefix / "share" / "himbaechel" / "xilinx",
        prefix / "share" / "nextpnr",
        prefix / "share" / "nextpnr-xilinx",
        prefix / "share" / "chipdb",
        prefix / "chipdb",
        program.parent,
        program.parent / "himbaechel" / "xilinx",
    ]
    for folder in folders:
        for name in names:
            if (folder / name).is_file():
                return folder / name
    raise ToolError(
        f"{flavour} has no chip database for {part}; give it with --chipdb FILE, or its folder in "
        "NEXTPNR_CHIPDB"
    )
