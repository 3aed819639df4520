# SPDX-License-Identifier: Apache-2.0
"""Running Yosys, as the library that pyosys ships.

An error in Yosys ends the whole process and its log goes to standard output, so that every run is
a child process of its own (`qnnc.backends.yosys.worker`).
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from qnnc.compiler.errors import ToolError


@lru_cache(maxsize=1)
def yosys_version() -> str:
    """Version of the pyosys package.

    Raises:
        ToolError: it is not installed.
    """
    try:
        return version("pyosys")
    except PackageNotFoundError as error:
        raise ToolError("pyosys is not installed; pip install pyosys") from error


def share_folder() -> Path:
    """Where Yosys keeps its cell libraries and headers."""
    yosys_version()
    spec = find_spec("pyosys")
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent / "share"


def run_script(commands: Sequence[str], folder: Path, log: Path, what: str) -> None:
    """Run Yosys commands in a child process.

    Args:
        folder: working directory; relative file names in commands start there.
        log: where the child's output goes.
        what: what is being done, for the error.

    Raises:
        ToolError: Yosys failed; its last error line is quoted.
    """
    yosys_version()
    script = "\n".join(commands)
    with log.open("wb") as output:
        done = subprocess.run(
            [sys.executable, "-m", "qnnc.backends.yosys.worker"],
            input=script.encode(),
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            check=False,
        )
    if done.returncode != 0:
        text = log.read_text(encoding="utf-8", errors="replace")
        errors = re.findall(r"^.*ERROR: ?(.*)$", text, re.MULTILINE)
        last = (text.strip().splitlines() or ["no message"])[-1]
        reason = errors[-1] if errors else f"it ended with code {done.returncode}: {last}"
        raise ToolError(f"Yosys failed at {what}: {reason}")
