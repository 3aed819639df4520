# SPDX-License-Identifier: Apache-2.0
"""Running Vivado over the scripts, and reading its results."""

from __future__ import annotations

import hashlib
import re
import subprocess
import time
from pathlib import Path

from qnnc.backends.bitstream.fasm.bitfile import read_payload
from qnnc.backends.bitstream.vivado.scripts import BUILD, RESULT
from qnnc.compiler.building.build import Build
from qnnc.compiler.errors import TargetError, ToolError
from qnnc.compiler.report import Implementation


def run_vivado(build: Build, program: Path, folder: Path) -> Implementation:
    """From the shell's sources to the .bit file in `folder`.

    Raises:
        TargetError: the design does not fit.
        ToolError: Vivado failed for another reason.
    """
    script = build.folder / "vivado" / BUILD
    log = folder / "vivado.log"
    build.progress.detail("running Vivado")
    start = time.perf_counter()
    done = subprocess.run(
        [
            str(program), "-mode", "batch", "-nojournal", "-log", str(log), "-source", str(script),
            "-tclargs", str(folder),
        ],
        capture_output=True,
        text=True,
        cwd=folder,
        check=False,
        errors="replace",
    )  # fmt: skip
    seconds = time.perf_counter() - start
    result = folder / RESULT
    if done.returncode != 0 or not (folder / "accelerator.bit").is_file() or not result.is_file():
        raise _failure(done.stdout + done.stderr, done.returncode, log)
    found = dict(line.split(maxsplit=1) for line in result.read_text().splitlines() if " " in line)
    payload = read_payload(folder / "accelerator.bit")
    return Implementation(
        flow="vivado",
        tool=f"Vivado {found.get('version', 'of an unknown version')}",
        fmax_mhz=fmax(build.clock_mhz, found.get("slack_ns", "")),
        seconds=round(seconds, 1),
        memory_mb=None,
        features=None,
        utilisation={
            name.removeprefix("used_"): [int(count)]
            for name, count in found.items()
            if name.startswith("used_") and count.isdigit()
        },
        payload_sha256=hashlib.sha256(payload).hexdigest(),
    )


def fmax(clock_mhz: float, slack: str) -> float:
    """Highest clock, from the slack in ns at a clock; without paths that clock."""
    try:
        period = 1000 / clock_mhz - float(slack)
    except ValueError:
        return clock_mhz
    return round(1000 / period, 2)


def _failure(output: str, code: int, log: Path) -> Exception:
    errors = re.findall(r"^ERROR: (.*)$", output, re.MULTILINE)
    reason = errors[0] if errors else f"it ended with code {code}"
    lowered = reason.lower()
    if "over-utilized" in lowered or "resource" in lowered or "place " in lowered:
        return TargetError(
            f"Vivado cannot place the design: {reason}; set a smaller --budget or --fps "
            f"(log: {log})"
        )
    return ToolError(f"Vivado failed: {reason} (log: {log})")
