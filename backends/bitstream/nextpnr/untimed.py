# SPDX-License-Identifier: Apache-2.0
"""What nextpnr's timing leaves out: its highest clock does not cover these paths."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

_MEMORY = "from the clock to its output"
UNTIMED = {
    "PS7": "all pins",
    "DSP48E1": "all pins",
    **dict.fromkeys(("SRL16E", "SRLC32E"), _MEMORY),
    **dict.fromkeys(
        ("RAM32M", "RAM64M", "RAM32X1D", "RAM64X1D", "RAM128X1D", "RAM32X1S", "RAM64X1S"), _MEMORY
    ),
}
"""Paths of cell types that the chip database of nextpnr-himbaechel 0.11.1 has no delays for."""


def untimed(module: Mapping[str, Any]) -> list[str]:
    """A line for each cell type of a netlist that is not, or not wholly, timed."""
    counts = Counter(str(cell["type"]) for cell in module["cells"].values())
    return [f"{counts[kind]} {kind}: {paths}" for kind, paths in UNTIMED.items() if counts[kind]]
