# SPDX-License-Identifier: Apache-2.0
"""Running Vitis HLS, whatever it is called."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from qnnc.compiler.errors import ToolError

_COMMANDS = {
    "vitis_hls": ["vitis_hls", "-f"],
    "vitis-run": ["vitis-run", "--mode", "hls", "--tcl"],
    "vivado_hls": ["vivado_hls", "-f"],
}


def vitis_command() -> list[str] | None:
    """Command that takes a Tcl script, or None where no Vitis HLS is on PATH."""
    for program, command in _COMMANDS.items():
        found = shutil.which(program)
        if found:
            return [found, *command[1:]]
    vitis = shutil.which("vitis")  # the unified Vitis keeps vitis-run beside it
    beside = Path(vitis).with_name("vitis-run") if vitis else None
    if beside is not None and beside.is_file():
        return [str(beside), *_COMMANDS["vitis-run"][1:]]
    return None


def run_tcl(command: list[str], script: Path) -> None:
    """Run a Tcl script; its output goes to a log beside it.

    Raises:
        ToolError: with the first error line.
    """
    log = script.with_suffix(".log")
    with log.open("w", encoding="utf-8") as out:
        done = subprocess.run(
            [*command, str(script)],
            cwd=script.parent,
            stdout=out,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode != 0:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        errors = [line for line in lines if "ERROR" in line] or lines or ["no message"]
        raise ToolError(f"{command[0]} failed (code {done.returncode}): {errors[0]}; see {log}")
