# SPDX-License-Identifier: Apache-2.0
"""Every check of the project, one after the other: lint, format, types, documentation, tests.

python tests/check.py [STEP ...]

Runs all steps, or those that are named, to the end, whatever fails on the way. Needs nothing but
Python and the packages of the `dev` extra; exit code 1 if a step failed.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = ("bitstream/package", "rtl/ip/cocotb_bench.py")
"""They run where qnnc is not installed, with packages that it does not depend on."""
WORDS = {True: "passed", False: "FAILED", None: "skipped"}


def run(*command: str, folder: Path = ROOT) -> bool:
    """Run a module of this Python; whether it ended with 0."""
    print("$", "python -m", *command[:9], "…" if command[9:] else "", flush=True)
    done = subprocess.run([sys.executable, "-m", *command], cwd=folder, check=False)
    return done.returncode == 0


def run_code(code: str) -> bool:
    """Run a line of code with this Python; whether it ended with 0."""
    print("$", "python -c", repr(code), flush=True)
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def lint() -> bool:
    """Ruff's rules."""
    return run("ruff", "check", ".")


def formatting() -> bool:
    """Ruff's formatting."""
    return run("ruff", "format", "--check", ".")


def layers() -> bool:
    """Who may import whom: the contracts in pyproject.toml."""
    return run_code("from importlinter.cli import lint_imports; raise SystemExit(lint_imports())")


def types() -> bool:
    """Mypy, strict, on the installed package."""
    return run("mypy")


def editor_types() -> bool:
    """Pyright, on every file of the package but those that are shipped to boards or benches."""
    package = ROOT / "src" / "qnnc"
    files = [
        str(path)
        for folder in sorted(package.iterdir())
        for path in sorted(folder.rglob("*.py"))
        if not any(part in path.as_posix() for part in SHIPPED)
    ]
    return run("basedpyright", "--pythonpath", sys.executable, *files)


def docs() -> bool | None:
    """The documentation as a site: no warning, no dead link. None where MkDocs is missing."""
    if (
        importlib.util.find_spec("mkdocs") is None
        or importlib.util.find_spec("mkdocstrings") is None
    ):
        print("skipped: MkDocs is not installed (extra docs)")
        return None
    with tempfile.TemporaryDirectory() as out:
        return run("mkdocs", "build", "--strict", "--site-dir", out)


def tests() -> bool:
    """All tests, on as many processes as there are cores."""
    return run("pytest", "-q", "-n", "auto", "--dist", "worksteal", "--durations", "10")


STEPS: dict[str, Callable[[], bool | None]] = {
    "lint": lint,
    "format": formatting,
    "layers": layers,
    "types": types,
    "pyright": editor_types,
    "docs": docs,
    "tests": tests,
}


def main(names: list[str]) -> int:
    """Run steps by name, all of them by default; returns the exit code."""
    unknown = [name for name in names if name not in STEPS]
    if unknown:
        print(f"unknown step {unknown[0]!r} (known: {', '.join(STEPS)})", file=sys.stderr)
        return 2
    results: dict[str, tuple[bool | None, float]] = {}
    for name in names or STEPS:
        print(f"\n== {name}", flush=True)
        start = time.monotonic()
        passed = STEPS[name]()
        results[name] = passed, time.monotonic() - start
    print()
    for name, (passed, seconds) in results.items():
        print(f"{WORDS[passed]:8} {name:8} {seconds:7.1f} s")
    failed = [name for name, (passed, _) in results.items() if passed is False]
    print(f"failed: {', '.join(failed)}" if failed else "all checks passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
