# SPDX-License-Identifier: Apache-2.0
"""Counting resources in Yosys's statistics."""

from __future__ import annotations

import json
from pathlib import Path

from qnnc.compiler.errors import ToolError
from qnnc.compiler.resources import Resources

LUTS = {
    **{f"LUT{n}": 1 for n in range(1, 7)},
    "LUT6_2": 1,
    "INV": 1,
    "SRL16E": 1,
    "SRLC32E": 1,
    "SRLC16E": 1,
    "RAM32X1S": 1,
    "RAM64X1S": 1,
    "RAM32X1D": 2,
    "RAM64X1D": 2,
    "RAM128X1S": 2,
    "RAM128X1D": 4,
    "RAM256X1S": 4,
    "RAM32M": 4,
    "RAM64M": 4,
}
"""LUTs that a cell occupies (UG474: distributed RAM by primitive)."""
FLIP_FLOPS = frozenset({"FDRE", "FDSE", "FDCE", "FDPE", "FDRE_1", "FDSE_1"})
BLOCK_RAM = {"RAMB18E1": 1, "RAMB36E1": 2}
DSP = frozenset({"DSP48E1"})
FREE = frozenset({"CARRY4", "MUXF7", "MUXF8", "BUFG", "VCC", "GND"})


def cell_counts(path: Path) -> dict[str, int]:
    """Cells of the whole hierarchy by type, from `stat -json`."""
    data = json.loads(path.read_text(encoding="utf-8"))
    counts: dict[str, int] = data["design"]["num_cells_by_type"]
    modules = {name.removeprefix("\\") for name in data["modules"]}
    return {name: count for name, count in counts.items() if name not in modules}


def resources(cells: dict[str, int]) -> Resources:
    """Resources that cells take.

    Raises:
        ToolError: a cell is of an unknown type, so that the count would be wrong.
    """
    known = set(LUTS) | FLIP_FLOPS | set(BLOCK_RAM) | DSP | FREE
    unknown = sorted(set(cells) - known)
    if unknown:
        raise ToolError(f"synthesis left cells that qnnc cannot count: {', '.join(unknown)}")
    return Resources(
        LUT=sum(LUTS.get(name, 0) * count for name, count in cells.items()),
        FF=sum(count for name, count in cells.items() if name in FLIP_FLOPS),
        BRAM18=sum(BLOCK_RAM.get(name, 0) * count for name, count in cells.items()),
        DSP=sum(count for name, count in cells.items() if name in DSP),
    )
