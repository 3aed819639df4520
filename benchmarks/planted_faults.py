# SPDX-License-Identifier: Apache-2.0
"""Wrong bits, planted in a bitstream: does the proof find each, and name its tile and net?

    python -m benchmarks.planted_faults BUILD --prjxray-db prjxray-db/zynq7 [--count N] [--netlist]

A fault is one bit: of a LUT, a pip, a setting, a block RAM's contents or a frame's check bits.
Check bits (but for the last kind) and checksums are made right again, as they would be if the
tools had made the fault, so that neither of them reveals it. Faults are planted some at a time,
each in a tile of its own. With --netlist the recorded FASM counts for nothing, as if it had the
same faults: only the netlist, the drivers and the bits can reveal them. A fault that is then missed
changes no function (half of a LUT that is not looked at, a cell that nothing reads).
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from qnnc.backends.bitstream.fasm import Database
from qnnc.backends.bitstream.fasm.frames import set_check_bits
from qnnc.backends.bitstream.fasm.stream import configuration
from qnnc.backends.bitstream.prove import Proof, examine
from qnnc.backends.bitstream.prove.features import BitDatabase, decode, own_name
from qnnc.backends.bitstream.prove.names import recorded
from qnnc.backends.bitstream.prove.packets import load, payload_of

KINDS = ("LUT", "pip", "setting", "contents", "check bits")
BATCH = 200


@dataclass(frozen=True)
class Planted:
    """A wrong bit.

    Attributes:
        kind: one of KINDS.
        tile: it belongs to; for check bits, the frame's address as a report writes it.
        feature: it is part of.
        net: of the feature, where the router's comments say it.
    """

    kind: str
    tile: str
    feature: str
    net: str


@dataclass(frozen=True)
class Spoilt:
    """A bitstream with faults."""

    payload: bytes
    faults: list[Planted]

    def missed(self, proof: Proof, without: Sequence[str] = ()) -> list[Planted]:
        """Faults that a proof does not name, some of its checks left out."""
        named = [(f.where, f.net) for f in proof.faults if f.check not in without]
        return [
            planted
            for planted in self.faults
            if not any(
                planted.tile in where and (not planted.net or planted.net == net or without)
                for where, net in named
            )
        ]


def plant(
    payload: bytes,
    root: Path,
    part: str,
    fasm: Sequence[str],
    count: int,
    seed: int,
    *,
    used: bool = False,
) -> Spoilt:
    """Plant faults, of all kinds in turn, in a bitstream.

    Args:
        used: contents only of block RAM that the design uses; several faults may share a tile.
    """
    rng = random.Random(seed)
    database = BitDatabase(root, part, Database(root, part).fabric)
    rows = [len(row) for row in database.rows]
    frames = load(payload_of(payload), rows).frames.copy()
    decoded = decode(frames, database)
    _, nets = recorded(fasm, database)
    choices: dict[str, list[tuple[str, str]]] = {kind: [] for kind in KINDS}
    for tile, features in decoded.tiles.items():
        for name in features:
            choices[_kind(name)].append((tile, name))
    rams = sorted({tile for tile, _ in choices["contents"]}) if used else []
    rams = rams or [t for t, e in database.grid.items() if "BLOCK_RAM" in e.get("bits", {})]
    faults: list[Planted] = []
    busy: set[str] = set()
    wrong_codes: list[tuple[int, int]] = []
    for number in range(count):
        kind = KINDS[number % len(KINDS)]
        if kind == "check bits":
            written = np.flatnonzero(frames.any(axis=1))
            frame = int(rng.choice(written.tolist()))
            address = list(database.numbers)[frame]
            wrong_codes.append((frame, rng.randrange(13)))
            faults.append(Planted(kind, f"frame 0x{address:08x}", "", ""))
            continue
        while True:
            if kind == "contents":
                tile, name = (
                    rng.choice(rams),
                    f"RAMB18_Y{rng.randrange(2)}.INIT_{rng.randrange(64):02X}",
                )
            else:
                tile, name = rng.choice(choices[kind])
            if tile not in busy or (used and kind == "contents"):
                break
        busy.add(tile)
        _flip(frames, database, tile, name, rng)
        faults.append(Planted(kind, tile, name, nets.get(f"{tile}.{name}", "")))
    set_check_bits(frames)
    for frame, bit in wrong_codes:
        frames[frame, 50] ^= np.uint32(1 << bit)
    return Spoilt(configuration(frames, rows, database.idcode), faults)


def _kind(name: str) -> str:
    if "LUT.INIT" in name:
        return "LUT"
    if name.startswith("RAMB18") and ".INIT" in name:
        return "contents"
    return "pip" if name.count(".") == 1 and "SLICE" not in name else "setting"


def _flip(
    frames: np.ndarray, database: BitDatabase, tile: str, name: str, rng: random.Random
) -> None:
    """Flip one bit of a feature."""
    found = []
    for bus, block, kind, sites in database.blocks(tile):
        for rules in database.rules(kind, bus).values():
            for rule in rules:
                if own_name(rule.name, sites) == name:
                    found += [(block, position) for position in rule.ones]
    block, position = rng.choice(sorted(found))
    frame, bit = block.frame + (position >> 12), block.offset + (position & 4095)
    frames[frame, bit // 32] ^= np.uint32(1 << bit % 32)


def main() -> int:
    """Plant, prove, count."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build", type=Path)
    parser.add_argument("--prjxray-db", type=Path, required=True)
    parser.add_argument("--part", default="xc7z020clg400-1")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--netlist", action="store_true")
    chosen = parser.parse_args()
    routed = chosen.build / "bitstream"
    payload = (routed / "accelerator.bit").read_bytes()
    fasm = (routed / "accelerator.fasm").read_text(encoding="utf-8").splitlines()
    module = None
    if chosen.netlist:
        text = (routed / "netlist.json").read_text(encoding="utf-8")
        module = json.loads(text)["modules"]["qnnc_top"]
    without = ("record", "check bits") if chosen.netlist else ()
    start, missed, seen = time.perf_counter(), 0, Counter[str]()
    for batch in range(-(-chosen.count // BATCH)):
        size = min(BATCH, chosen.count - batch * BATCH)
        spoilt = plant(
            payload,
            chosen.prjxray_db,
            chosen.part,
            fasm,
            size,
            chosen.seed + batch,
            used=chosen.netlist,
        )
        proof = examine(spoilt.payload, chosen.prjxray_db, chosen.part, fasm, module)
        left = [f for f in spoilt.missed(proof, without) if f.kind not in without]
        seen.update(fault.kind for fault in spoilt.faults)
        missed += len(left)
        for fault in left:
            print(f"missed: {fault}")
        print(f"{sum(seen.values())} planted, {missed} missed, {time.perf_counter() - start:.0f} s")
    print(", ".join(f"{kind}: {count}" for kind, count in seen.items()))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
