# SPDX-License-Identifier: Apache-2.0
"""Running nextpnr and reading its reports."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qnnc.backends.bitstream.nextpnr.tool import Nextpnr
from qnnc.compiler.errors import TargetError, ToolError

_FMAX = re.compile(r"Max frequency for clock\s+'([^']*)':\s+([\d.]+) MHz")
_USED = re.compile(r"Info:\s+(\w+):\s+(\d+)/\s*(\d+)\s+\d+%")
_OVERUSED = re.compile(r"iter=(\d+) wires=\d+ overused=(\d+)")
PATIENCE = 100
"""Rounds of the router without progress after which a design counts as congested. The router
itself never gives up; designs that it did route took up to some tens of rounds in all."""
_STEPS = ("Packing", "Running", "Routing", "iteration", "Placed", "Setting up")


@dataclass(frozen=True)
class Routed:
    """A design placed and routed.

    Attributes:
        fasm: the result.
        fmax_mhz: highest clock by the tool's timing model.
        utilisation: (used, available) by kind of cell.
        seconds: of wall time.
        memory_mb: the tool's peak memory.
    """

    fasm: Path
    fmax_mhz: float
    utilisation: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    seconds: float = 0.0
    memory_mb: float = 0.0


def route(
    tool: Nextpnr,
    part: str,
    netlist: Path,
    folder: Path,
    clock_mhz: float,
    progress: Callable[[str], None] | None = None,
) -> Routed:
    """Place and route a netlist.

    Args:
        netlist: Yosys JSON.
        folder: for FASM, report and log.
        clock_mhz: to reach.
        progress: notified of what the tool is doing.

    Raises:
        TargetError: the design does not fit or cannot be routed.
        ToolError: the tool failed for another reason.
    """
    fasm, report, log = (folder / name for name in ("design.fasm", "nextpnr.json", "nextpnr.log"))
    arguments = tool.arguments(part, netlist, fasm, clock_mhz)
    if tool.flavour == "nextpnr-himbaechel":
        arguments += ["--report", str(report)]
    start = time.perf_counter()
    code, memory = _run(arguments, log, folder, progress)
    seconds = time.perf_counter() - start
    text = log.read_text(encoding="utf-8", errors="replace")
    if code != 0 or not fasm.is_file():
        raise _failure(tool, code, text, log)
    fmax, used = _from_report(report) if report.is_file() else _from_log(text)
    return Routed(fasm, fmax, used, round(seconds, 1), round(memory, 1))


def _run(
    arguments: list[str], log: Path, folder: Path, progress: Callable[[str], None] | None
) -> tuple[int, float]:
    """Exit code, and peak memory in MB."""
    try:
        process = subprocess.Popen(
            arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=folder,
            errors="replace",
        )  # fmt: skip
    except OSError as error:
        raise ToolError(f"cannot start {arguments[0]}: {error.strerror or error}") from error
    assert process.stdout is not None
    congestion = _Congestion()
    with log.open("w", encoding="utf-8", buffering=1) as out:
        try:
            for line in process.stdout:
                out.write(line)
                congestion.look_at(line)
                if progress is not None and any(step in line for step in _STEPS):
                    progress(line.strip().removeprefix("Info: ")[:60])
        except BaseException:
            process.kill()
            process.wait()
            raise
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, usage.ru_maxrss / 1024


class _Congestion:
    """Gives up when the router makes no progress; raises TargetError."""

    def __init__(self) -> None:
        self.least, self.since = -1, 0

    def look_at(self, line: str) -> None:
        found = _OVERUSED.search(line)
        if found is None:
            return
        number, overused = int(found[1]), int(found[2])
        if self.least < 0 or overused < self.least:
            self.least, self.since = overused, number
        elif overused and number - self.since >= PATIENCE:
            raise TargetError(
                f"the design is too congested to be routed: {self.least} wires are still taken "
                f"twice after {number} rounds; set a smaller --budget or --fps"
            )


def _failure(tool: Nextpnr, code: int, text: str, log: Path) -> Exception:
    errors = [line.partition("ERROR:")[2].strip() for line in text.splitlines() if "ERROR:" in line]
    last = (text.strip().splitlines() or ["no message"])[-1]
    reason = errors[-1] if errors else f"it ended with code {code}: {last[:200]}"
    lowered = reason.lower()
    if "chip database" in lowered or "chipdb" in lowered or "magic" in lowered:
        return ToolError(
            f"{tool.flavour} does not take the chip database {tool.chipdb}: {reason}; it has to be "
            "made for this version (--chipdb)"
        )
    if any(word in lowered for word in ("place", "legal", "bel", "no more", "available")):
        return TargetError(
            f"{tool.flavour} cannot place the design: {reason}; set a smaller --budget or --fps "
            f"(log: {log})"
        )
    if "rout" in lowered:
        return TargetError(
            f"{tool.flavour} cannot route the design: {reason}; set a smaller --budget or --fps "
            f"(log: {log})"
        )
    return ToolError(f"{tool.flavour} failed: {reason} (log: {log})")


def _from_report(path: Path) -> tuple[float, dict[str, tuple[int, int]]]:
    try:
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        clocks = [float(clock["achieved"]) for clock in data.get("fmax", {}).values()]
        used = {
            name: (int(entry["used"]), int(entry["available"]))
            for name, entry in data.get("utilization", {}).items()
            if entry["used"]
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ToolError(f"nextpnr's report {path} is broken: {error!r}") from error
    return min(clocks, default=0.0), used


def _from_log(text: str) -> tuple[float, dict[str, tuple[int, int]]]:
    """The same from a log, in which the last figure for a clock is that after routing."""
    clocks = dict(_FMAX.findall(text))
    used = {name: (int(count), int(there)) for name, count, there in _USED.findall(text)}
    return min(map(float, clocks.values()), default=0.0), {k: v for k, v in used.items() if v[0]}
