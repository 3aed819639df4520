# SPDX-License-Identifier: Apache-2.0
"""Running something in a child process whose qnnc is that of another folder."""

from __future__ import annotations

import contextlib
import io
import os
import resource
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

FLOOD = 1 << 34
"""Bytes of memory that a mutant may take."""


@dataclass(frozen=True)
class Ended:
    """How a child ended: what it said, whether it raised or died, seconds of CPU."""

    said: str
    crashed: bool
    seconds: float


def in_child(project: Path, job: Callable[[], str], limit: float) -> Ended:
    """Run `job` in a child process that finds qnnc, tests and benchmarks in `project`.

    Args:
        limit: seconds of CPU; ten times that by the clock.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.setsid()
        os.close(reader)
        resource.setrlimit(resource.RLIMIT_CPU, (int(limit) + 1, int(limit) + 5))
        resource.setrlimit(resource.RLIMIT_AS, (FLOOD, FLOOD))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        code = 1
        with contextlib.suppress(BaseException):
            _settle(project)
            text = io.StringIO()
            try:
                with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(text):
                    said = job()
                code = 0
            except BaseException:
                said = text.getvalue()[-2000:] + traceback.format_exc()[-4000:]
            with os.fdopen(writer, "w", encoding="utf-8", errors="replace") as pipe:
                pipe.write(said)
        os._exit(code)
    os.close(writer)
    signal.signal(signal.SIGALRM, lambda *_: os.killpg(child, signal.SIGKILL))
    signal.alarm(int(limit * 10) + 10)
    with os.fdopen(reader, encoding="utf-8", errors="replace") as pipe:
        said = pipe.read()
    _, status, usage = os.wait4(child, 0)
    signal.alarm(0)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    crashed = os.WIFSIGNALED(status) or os.WEXITSTATUS(status) != 0
    return Ended(said, crashed, usage.ru_utime + usage.ru_stime)


def _settle(project: Path) -> None:
    os.chdir(project)
    for name in list(sys.modules):
        if name.split(".")[0] in ("qnnc", "tests", "benchmarks"):
            del sys.modules[name]
    sys.path[:0] = [str(project / "src"), str(project)]
    os.environ["PYTHONPATH"] = f"{project / 'src'}{os.pathsep}{project}"
