# SPDX-License-Identifier: Apache-2.0
"""Looking for the tools that a build can use."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from qnnc.compiler.errors import QnncError


@dataclass(frozen=True)
class Tool:
    """A program or package.

    Attributes:
        name: as people know it.
        found: its version or path, or an empty string.
        needed: a build does not run without it.
        enables: what it is for.
        get: how to get it.
    """

    name: str
    found: str
    needed: bool
    enables: str
    get: str


def find_tools() -> list[Tool]:
    """Every tool that qnnc knows, present or not."""
    return [
        Tool(
            "onnxruntime",
            _package("onnxruntime"),
            True,
            "verification at every step",
            "pip install onnxruntime",
        ),
        Tool(
            "pyosys",
            _package("pyosys"),
            True,
            "synthesis, and simulation with CXXRTL",
            "pip install pyosys",
        ),
        Tool("C++ compiler", _compiler(), True, "RTL simulation", "apt install g++"),
        Tool("Verilator", _verilator(), False, "faster RTL simulation", "apt install verilator"),
        Tool(
            "nextpnr-himbaechel",
            _program("nextpnr-himbaechel") or _program("nextpnr-himbaechel-xilinx"),
            False,
            "place and route without Vivado",
            "apt install nextpnr-himbaechel-xilinx (Debian 14 or later), or build it from the "
            "sources of nextpnr (docs/bitstream.md)",
        ),
        Tool(
            "nextpnr-xilinx",
            _program("nextpnr-xilinx"),
            False,
            "place and route without Vivado",
            "install a toolchain release of openXC7 (docs/bitstream.md)",
        ),
        Tool(
            "prjxray database",
            _database(),
            False,
            "bitstreams without Vivado, and their proof",
            "apt install prjxray-database (Debian 14 or later), or clone prjxray-db and set "
            "QNNC_PRJXRAY_DB to its folder zynq7, or give --prjxray-db",
        ),
        Tool(
            "Vivado",
            _program("vivado"),
            False,
            "bitstreams by AMD's own tools",
            "install Vivado and put it on PATH",
        ),
        Tool(
            "torch",
            _package("torch"),
            False,
            "training the example networks",
            "pip install 'qnnc[train]'",
        ),
        Tool(
            "brevitas",
            _package("brevitas"),
            False,
            "training and exporting networks",
            "pip install 'qnnc[train]'",
        ),
    ]


def _database() -> str:
    from qnnc.backends.bitstream.fasm import database_root

    given = os.environ.get("QNNC_PRJXRAY_DB")
    return given or str(database_root(None, "xc7z020clg400-1") or "")


def _package(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _program(name: str) -> str:
    return shutil.which(name) or ""


def _compiler() -> str:
    from qnnc.backends.simulation.compiler import compiler_version

    try:
        return compiler_version()
    except QnncError:
        return ""


def _verilator() -> str:
    from qnnc.backends.simulation import verilator

    return verilator.version() if verilator.installed() else ""
