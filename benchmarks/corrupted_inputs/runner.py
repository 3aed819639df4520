# SPDX-License-Identifier: Apache-2.0
"""Running variants, each in a forked process with a time limit, and judging how they end."""

from __future__ import annotations

import gc
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

from benchmarks.corrupted_inputs.variants import Corpus, Variant, variant

SECONDS = 60
"""CPU seconds that a variant may take."""
WALL = 600
"""Seconds, however busy the machine is."""
MEMORY = 8 << 30
"""Bytes of address space beyond those of the process that is forked."""


@dataclass(frozen=True)
class Result:
    """How a variant ended.

    Attributes:
        seed: its number.
        kind: what was spoilt.
        code: exit code, negative for a signal.
        fault: what was wrong with that; empty if nothing.
        errors: standard error.
        seconds: of CPU.
    """

    seed: int
    kind: str
    code: int
    fault: str
    errors: str
    seconds: float


def run(seed: int, corpus: Corpus, keep: Path | None = None) -> Result:
    """Make a variant and run it.

    Args:
        keep: folder for the files of one that is at fault; they are deleted else.
    """
    folder = Path(tempfile.mkdtemp(prefix="qnnc-corrupted-"))
    try:
        made = variant(seed, corpus, folder)
        code, errors, seconds = _forked(made.arguments, folder)
        fault = judge(made, code, errors)
        if fault and keep is not None:
            shutil.copytree(folder, keep / str(seed), dirs_exist_ok=True)
            (keep / str(seed) / "command.json").write_text(json.dumps(made.arguments))
        return Result(seed, made.kind, code, fault, errors[-2000:], seconds)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def judge(made: Variant, code: int, errors: str) -> str:
    """What is wrong with how a variant ended; empty if nothing is."""
    lines = [line for line in errors.splitlines() if not line.startswith("qnnc: warning: ")]
    if code < 0:
        limits = (-signal.SIGXCPU, -signal.SIGKILL, -signal.SIGALRM)
        return "no end" if code in limits else f"signal {-code}"
    if "Traceback" in errors or "internal error" in errors:
        return "internal error"
    if code not in made.codes:
        return f"exit code {code}"
    if code != 2:
        if code == 0 and lines:
            return "text on standard error"
        if code == 0 and made.report is not None:
            return _unverified(made.report)
        return ""
    if len(lines) != 1 or not lines[0].startswith("qnnc: ") or not lines[0].isprintable():
        return f"{len(lines)} lines on standard error"
    return ""


def _unverified(path: Path) -> str:
    report = json.loads(path.read_text())
    levels = [level["level"] for level in report["verification"]["levels"]]
    stopped = any("stopped" in stage["reason"] for stage in report["stages"])
    if report["status"] != "ok" or report["verification"]["mismatches"]:
        return "exit code 0 of a failed build"
    if "dataflow" not in levels and not stopped:
        return "exit code 0 without verification"
    return ""


def _forked(arguments: list[str], folder: Path) -> tuple[int, str, float]:
    errors = folder / ".stderr"
    child = os.fork()
    if child == 0:
        _child(arguments, folder, errors)
    end = time.monotonic() + WALL
    while True:
        done, status, used = os.wait4(child, os.WNOHANG)
        if done:
            break
        if time.monotonic() > end:
            os.kill(child, signal.SIGKILL)
        time.sleep(0.01)
    text = errors.read_text(errors="replace") if errors.exists() else ""
    errors.unlink(missing_ok=True)
    return os.waitstatus_to_exitcode(status), text, used.ru_utime + used.ru_stime


def _child(arguments: list[str], folder: Path, errors: Path) -> None:
    """Become `qnnc`; never returns."""
    code = 70
    gc.freeze()  # else collecting garbage copies all that it has from its parent
    try:
        os.chdir(folder)
        out = os.open(os.devnull, os.O_WRONLY)
        err = os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(out, 1)
        os.dup2(err, 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        from qnnc.cli.main import main

        sys.argv = ["qnnc", *arguments]
        try:
            main()
            code = 0
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (OSError, ValueError):
                code = 70
        os._exit(code)
