# SPDX-License-Identifier: Apache-2.0
"""A made-up prjxray database of a made-up part, and reading a payload back into frames."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

PART = "xc7made1-1"
COLUMNS = {"CLB_IO_CLK": (4, 6, 4), "BLOCK_RAM": (8,)}
"""Frames of the columns of each bus, in each of the two rows."""


def make_database(root: Path) -> Path:
    """Write it: tile types LOGIC (features of one to three bits) and RAM (64 bits of contents)."""
    (root / "mapping").mkdir(parents=True)
    (root / "mapping" / "parts.yaml").write_text(
        f"{PART}:\n  device: made1\n  package: none\n  speedgrade: '1'\n"
        "xc7absent-1:\n  device: made1\n"
    )
    (root / "mapping" / "devices.yaml").write_text('# fabrics\n"made1":\n  fabric: "made1"\n')
    (root / PART).mkdir()
    (root / "made1").mkdir()
    buses = {
        bus: {"configuration_columns": {str(i): {"frame_count": n} for i, n in enumerate(counts)}}
        for bus, counts in COLUMNS.items()
    }
    region = {"rows": {"0": {"configuration_buses": buses}}}
    part = {"idcode": 0x12345678, "global_clock_regions": {"top": region, "bottom": region}}
    (root / PART / "part.json").write_text(json.dumps(part))
    (root / PART / "required_features.fasm").write_text("LOGIC_X0Y0.ALWAYS\n")
    tiles = {}
    for half in (0, 1):
        for x in (0, 1, 2):
            base = f"0x{half << 22 | x << 7:08X}"
            bits = {"CLB_IO_CLK": {"baseaddr": base, "frames": 4, "offset": 2 * x, "words": 2}}
            tiles[f"LOGIC_X{x}Y{half}"] = {"type": "LOGIC", "bits": bits}
        base = f"0x{1 << 23 | half << 22:08X}"
        bits = {"BLOCK_RAM": {"baseaddr": base, "frames": 8, "offset": 10, "words": 10}}
        tiles[f"RAM_X0Y{half}"] = {"type": "RAM", "bits": bits}
    alias = {"type": "LOGIC", "start_offset": 1, "sites": {"OUTER": "INNER"}}
    bits = {"baseaddr": "0x00000080", "frames": 4, "offset": 99, "words": 1, "alias": alias}
    tiles["HALF_X9Y0"] = {"type": "HALF", "bits": {"CLB_IO_CLK": bits}}
    (root / "made1" / "tilegrid.json").write_text(json.dumps(tiles))
    logic = ["ALWAYS 03_63", "INNER.ON 00_40", "MUX.A 00_00 !00_01", "MUX.B !00_00 00_01"]
    logic += [f"PLAIN{i} 01_{i:02} 02_{i + 1:02}" for i in range(0, 20, 2)]
    logic += [f"LUT.INIT[{i:02}] 03_{i:02}" for i in range(32)]
    (root / "segbits_logic.db").write_text("".join(f"LOGIC.{line}\n" for line in logic))
    (root / "ppips_logic.db").write_text("LOGIC.WIRE.OTHER always\n")
    ram = [f"RAM.INIT_00[{i:03}] {i % 8:02}_{3 * i:03}" for i in range(64)]
    (root / "segbits_ram.block_ram.db").write_text("".join(f"{line}\n" for line in ram))
    return root


def frames_of(payload: bytes, rows: list[int]) -> NDArray[np.uint32]:
    """The frames [n, 101] in a payload, found by the type-2 packet, without pad frames."""
    words = np.frombuffer(payload, ">u4").astype(np.uint32)
    start = int(np.flatnonzero((words >> 29) == 2)[0])
    count = int(words[start] & 0x7FFFFFF)
    data = words[start + 1 : start + 1 + count].reshape(-1, 101)
    kept, position = [], 0
    for row in rows:
        kept.append(data[position : position + row])
        assert not data[position + row : position + row + 2].any()
        position += row + 2
    assert position == len(data)
    return np.concatenate(kept)
