# SPDX-License-Identifier: Apache-2.0
"""Compiling C++: objects in parallel, cached by content."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sysconfig
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from qnnc.compiler.errors import ToolError
from qnnc.compiler.files import new_folder, write_bytes


def compiler() -> str:
    """Path of the C++ compiler.

    Raises:
        ToolError: there is none.
    """
    for name in (os.path.basename(sysconfig.get_config_var("CXX") or ""), "g++", "clang++"):
        found = shutil.which(name.split()[0]) if name else None
        if found:
            return found
    raise ToolError("no C++ compiler found; install g++ (apt install g++)")


def has_compiler() -> bool:
    """Whether there is a C++ compiler."""
    try:
        compiler()
    except ToolError:
        return False
    return True


@lru_cache(maxsize=1)
def compiler_version() -> str:
    """First line of the compiler's own account of itself."""
    done = subprocess.run([compiler(), "--version"], capture_output=True, text=True, check=False)
    return done.stdout.splitlines()[0] if done.stdout else "unknown"


@dataclass(frozen=True)
class Compilation:
    """How a simulation's program is compiled.

    Attributes:
        work: scratch folder.
        cache: where translated and compiled parts are kept.
        jobs: compilers to run at once.
        short: compile quickly, for a simulation of few cycles.
    """

    work: Path
    cache: Path
    jobs: int
    short: bool = False


@dataclass(frozen=True)
class Unit:
    """One source file to compile.

    Attributes:
        source: the file.
        key: names the object in the cache; covers everything the source includes.
    """

    source: Path
    key: str


def digest(*parts: str | bytes) -> str:
    """A short name for contents."""
    state = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        state.update(len(data).to_bytes(8, "little") + data)
    return state.hexdigest()[:32]


def run_compiler(arguments: Sequence[str], what: str) -> None:
    """Run the compiler; raises ToolError with its first error line."""
    done = subprocess.run([compiler(), *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if "error" in line.lower()]
        reason = (lines or done.stderr.splitlines() or ["no message"])[0]
        raise ToolError(f"the C++ compiler failed at {what}: {reason}")


def compile_units(
    units: Sequence[Unit], flags: Sequence[str], cache: Path, jobs: int
) -> list[Path]:
    """Objects of all units, from the cache where they are there."""
    version = compiler_version()

    def one(unit: Unit) -> Path:
        key = digest(unit.key, " ".join(f for f in flags if f.startswith(("-O", "-f"))), version)
        target = cache / f"{key}.o"
        if not target.exists():
            built = unit.source.with_suffix(".o")
            run_compiler([*flags, "-c", str(unit.source), "-o", str(built)], unit.source.name)
            write_bytes(target, built.read_bytes())
        return target

    with ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(one, units))


def precompiled_header(runtime: Path, flags: Sequence[str], cache: Path) -> list[str]:
    """Flags that make g++ read CXXRTL's large header precompiled; none for other compilers.

    Args:
        runtime: the folder of CXXRTL's headers.
    """
    if "g++" not in os.path.basename(compiler()):
        return []
    source = runtime / "cxxrtl" / "cxxrtl.h"
    key = digest("header", source.read_bytes(), compiler_version(), *flags)
    folder = cache / f"header-{key}"
    if not folder.is_dir():
        with new_folder(folder, shared=True) as out:
            (out / "cxxrtl_all.h").write_text("#include <cxxrtl/cxxrtl.h>\n", encoding="utf-8")
            run_compiler(
                [
                    *flags,
                    f"-I{runtime}",
                    "-x",
                    "c++-header",
                    str(out / "cxxrtl_all.h"),
                    "-o",
                    str(out / "cxxrtl_all.h.gch"),
                ],
                "the simulator's header",
            )
    return ["-include", str(folder / "cxxrtl_all.h")]
