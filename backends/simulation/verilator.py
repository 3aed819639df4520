# SPDX-License-Identifier: Apache-2.0
"""Building a simulation with Verilator, where it is installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from qnnc.backends.design import Design
from qnnc.backends.simulation.compiler import Compilation, compiler_version, digest
from qnnc.backends.simulation.ports import dut_source
from qnnc.compiler.errors import ToolError
from qnnc.compiler.files import publish_program, write_bytes

PRELUDE = """\
#include "Vqnnc_sim.h"
#include "verilated.h"
#include <cstdint>
namespace qnnc {
inline void put(uint8_t &port, bool bit) { port = bit; }
inline void put(uint8_t &port, const uint32_t *data) { port = data[0]; }
inline void put(uint16_t &port, const uint32_t *data) { port = data[0]; }
inline void put(uint32_t &port, const uint32_t *data) { port = data[0]; }
inline void put(uint64_t &port, const uint32_t *data) {
  port = data[0] | (uint64_t)data[1] << 32;
}
template <std::size_t N>
void put(VlWide<N> &port, const uint32_t *data) {
  for (std::size_t i = 0; i < N; i++) port[i] = data[i];
}
inline bool bit(uint8_t port) { return port; }
inline void get(uint8_t port, uint32_t *data) { data[0] = port; }
inline void get(uint16_t port, uint32_t *data) { data[0] = port; }
inline void get(uint32_t port, uint32_t *data) { data[0] = port; }
inline void get(uint64_t port, uint32_t *data) {
  data[0] = (uint32_t)port;
  data[1] = (uint32_t)(port >> 32);
}
template <std::size_t N>
void get(const VlWide<N> &port, uint32_t *data) {
  for (std::size_t i = 0; i < N; i++) data[i] = port[i];
}
}  // namespace qnnc
struct Model {
  Vqnnc_sim top;
  void settle() { top.aclk = 0; top.eval(); }
  void edge() { top.aclk = 1; top.eval(); }
};
"""

TREES = "-fno-const-bit-op-tree"
"""Verilator 5.006 makes wrong trees of plain and inverted bits."""


def installed() -> str | None:
    """Path of Verilator, or None."""
    return shutil.which("verilator")


def version() -> str:
    """Verilator's version, such as "5.006"; raises ToolError if it is not installed."""
    path = installed()
    if path is None:
        raise ToolError("Verilator is not installed (apt install verilator)")
    done = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    found = re.search(r"(\d+\.\d+)", done.stdout)
    return found.group(1) if found else "unknown"


def build(design: Design, rtl: Path, how: Compilation) -> Path:
    """The simulation's program, from the cache if this design was built before.

    Memory files are read when the program starts, from its working directory.
    """
    main = dut_source(design, prelude=PRELUDE, member="model.top.{}", mangle="_")
    texts = [*design.modules.values(), *design.library.values(), design.top_text]
    include = Path(__file__).parent / "cpp"
    return compile_model(design.top, texts, main, include, rtl, how, design.macros)


def compile_model(
    top: str,
    texts: Sequence[str],
    main: str,
    include: Path,
    rtl: Path,
    how: Compilation,
    macros: Mapping[str, str],
) -> Path:
    """A program around a Verilator model, from the cache if it was built before.

    Assertions are on: one that fails ends the program with a line on standard error.

    Args:
        top: the top module; the model's class is `V` and the name that `main` includes.
        texts: what the model is made of, for the cache.
        main: C++ with main().
        include: folder of headers that `main` includes.
        rtl: folder with the sources.
        macros: text of files that the sources include for their assertions, by name.

    Raises:
        ToolError: Verilator or the compiler fails.
    """
    work, cache = how.work, how.cache
    headers = [path.read_text(encoding="utf-8") for path in sorted(include.glob("*.h"))]
    level = "-O0" if how.short else "-O1"
    optimization = f"OPT_FAST={level} OPT_SLOW=-O0 OPT_GLOBAL={level}"
    key = digest(
        "verilator", version(), TREES, optimization, *headers, *texts, *macros.values(), main
    )
    target = cache / f"{key}-verilator"
    if target.exists():
        return target
    found = re.search(r'#include "(V\w+)\.h"', main)
    assert found is not None
    prefix = found.group(1)
    for name, text in {"main.cpp": main, **macros}.items():
        (work / name).write_text(text, encoding="utf-8")
    runtime = _known_runtime(work / "obj", cache, optimization)
    sources = sorted(str(path) for path in rtl.glob("*.sv"))
    done = subprocess.run(
        [
            str(installed()),
            "--cc",
            "--exe",
            "--build",
            "-j",
            str(how.jobs),
            "-O3",
            TREES,
            "--x-assign",
            "fast",
            "--x-initial",
            "fast",
            "--assert",
            "-DQNNC_ASSERTIONS",
            "-DQNNC_TAPS",
            f"-I{work}",
            "-Wno-fatal",
            "--prefix",
            prefix,
            "--top-module",
            top,
            "-MAKEFLAGS",
            optimization,
            "--Mdir",
            str(work / "obj"),
            "-o",
            "sim",
            "-CFLAGS",
            f"-I{include}",
            str(work / "main.cpp"),
            *sources,
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=rtl,
    )
    if done.returncode != 0:
        errors = [line for line in (done.stdout + done.stderr).splitlines() if "rror" in line]
        raise ToolError(f"Verilator failed: {(errors or ['no message'])[0]}")
    for name, kept in runtime.items():
        if not kept.exists() and (work / "obj" / name).exists():
            write_bytes(kept, (work / "obj" / name).read_bytes())
    publish_program(work / "obj" / "sim", target)
    return target


def _known_runtime(objects: Path, cache: Path, optimization: str) -> dict[str, Path]:
    """Put the objects of Verilator's own sources, the same for all models and half of the work,
    where its makefile finds them; returns their places in the cache."""
    key = digest("verilator-runtime", version(), optimization, compiler_version())
    kept = {name: cache / f"{key}-{name}" for name in ("verilated.o", "verilated_threads.o")}
    objects.mkdir()
    later = time.time() + 86400  # the makefile wants them younger than itself
    for name, path in kept.items():
        if path.exists():
            (objects / name).write_bytes(path.read_bytes())
            os.utime(objects / name, (later, later))
    return kept
