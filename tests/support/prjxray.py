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


def make_memory_database(root: Path, part: str, luts: int, rams: int) -> Path:
    """A database whose device has nothing but LUT and block RAM contents: tiles LUT_X0Y0, … with
    SLICEL_X0.ALUT and RAM_X0Y0, … with RAMB18_Y0."""
    (root / "mapping").mkdir(parents=True)
    (root / "mapping" / "parts.yaml").write_text(f"{part}:\n  device: made2\n")
    (root / "mapping" / "devices.yaml").write_text("made2:\n  fabric: made2\n")
    (root / part).mkdir()
    (root / "made2").mkdir()
    lut_columns, ram_columns = -(-luts // 50), -(-rams // 10)
    buses = {
        "CLB_IO_CLK": {str(i): {"frame_count": 1} for i in range(lut_columns)},
        "BLOCK_RAM": {str(i): {"frame_count": 128} for i in range(ram_columns)},
    }
    rows = {"0": {"configuration_buses": {b: {"configuration_columns": c} for b, c in
                                          buses.items()}}}  # fmt: skip
    regions = {"top": {"rows": rows}, "bottom": {"rows": {}}}
    (root / part / "part.json").write_text(
        json.dumps({"idcode": 0x3722093, "global_clock_regions": regions})
    )
    tiles = {}
    for kind, bus, count, height, words, base, frames in (
        ("LUT", "CLB_IO_CLK", luts, 50, 2, 0, 1),
        ("RAM", "BLOCK_RAM", rams, 10, 10, 1 << 23, 128),
    ):
        for number in range(count):
            column, row = divmod(number, height)
            bits = {"baseaddr": f"0x{base | column << 7:08X}", "frames": frames,
                    "offset": words * row, "words": words}  # fmt: skip
            tiles[f"{kind}_X{number}Y0"] = {"type": kind, "bits": {bus: bits}}
    (root / "made2" / "tilegrid.json").write_text(json.dumps(tiles))
    lines = [f"LUT.SLICEL_X0.ALUT.INIT[{i:02}] 00_{i:02}" for i in range(64)]
    (root / "segbits_lut.db").write_text("\n".join(lines) + "\n")
    lines = [
        f"RAM.RAMB18_Y0.{name}_{row:02X}[{i:03}] {first + row:02}_{i:03}"
        for name, first, count in (("INIT", 0, 64), ("INITP", 64, 8))
        for row in range(count)
        for i in range(256)
    ]
    (root / "segbits_ram.block_ram.db").write_text("\n".join(lines) + "\n")
    return root
