# SPDX-License-Identifier: Apache-2.0
"""A bitstream read back: every bit explained, and whatever is wrong in it found and named."""

from __future__ import annotations

import itertools
import json
import lzma
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.planted_faults import KINDS, plant
from qnnc.backends.bitstream.fasm import Database, assemble
from qnnc.backends.bitstream.prove import examine
from qnnc.backends.bitstream.prove.features import BitDatabase, decode
from qnnc.backends.bitstream.prove.packets import check_codes, load
from qnnc.backends.bitstream.prove.terms import Terms
from qnnc.backends.bitstream.prove.wanted import unreadable
from qnnc.compiler.errors import WorkspaceError
from tests.conftest import shared_file
from tests.support.build import qnnc
from tests.support.read_back import DESIGN, MODULE, compare

PART = "xc7z020clg400-1"


@pytest.fixture(scope="module")
def root() -> Path:
    return shared_file("xc7z020/prjxray-db-zynq7")


@pytest.fixture(scope="module")
def fasm() -> list[str]:
    with lzma.open(shared_file("xc7z020/samples/tiny.fasm.xz"), "rt") as file:
        return file.read().splitlines()


@pytest.fixture(scope="module")
def payload(root: Path, fasm: list[str]) -> bytes:
    return assemble(fasm, Database(root, PART))


def test_every_bit_of_a_real_design_is_explained(
    root: Path, fasm: list[str], payload: bytes
) -> None:
    proof = examine(payload, root, PART, fasm)
    status = {check.name: check.status for check in proof.checks}
    assert proof.faults == []
    assert status == {
        **dict.fromkeys(("packets", "check bits", "bits", "record"), "passed"),
        # this database does not say how wires are connected
        **dict.fromkeys(("drivers", "clocks", "netlist"), "not done"),
    }
    details = {check.name: check.detail for check in proof.checks}
    assert details["packets"].endswith("2 CRC words")
    assert details["bits"].startswith("32,589 bits set")


def test_planted_faults_are_found_and_named(root: Path, fasm: list[str], payload: bytes) -> None:
    """One of each kind at once, in tiles of their own; `benchmarks.planted_faults` plants 200."""
    planted = plant(payload, root, PART, fasm, len(KINDS) * 3, seed=1)
    assert {fault.kind for fault in planted.faults} == set(KINDS)
    proof = examine(planted.payload, root, PART, fasm)
    assert proof.failed
    assert planted.missed(proof) == []


def test_a_broken_file_is_refused_or_found(root: Path, payload: bytes) -> None:
    with pytest.raises(WorkspaceError, match=r"not a \.bit file"):
        examine(b"nothing" * 100, root, PART)
    with pytest.raises(WorkspaceError, match=r"cut off|middle of a packet"):
        examine(payload[:100_000], root, PART)
    words = np.frombuffer(payload, ">u4").copy()
    (idcode,) = np.flatnonzero(words == 0x3727093)[:1]
    words[idcode] = 0x3722093
    proof = examine(words.tobytes(), root, PART)
    assert [check.status for check in proof.checks[:2]] == ["failed", "passed"]
    assert {fault.where for fault in proof.faults} == {"header", "IDCODE"}


def test_a_vendors_bitstream_is_explained() -> None:
    """QNNC_VENDOR_BIT: a bitstream for the part that Vivado made; QNNC_PRJXRAY_DB: the database."""
    path, database = os.environ.get("QNNC_VENDOR_BIT"), os.environ.get("QNNC_PRJXRAY_DB")
    if not path or not database:
        pytest.skip("QNNC_VENDOR_BIT and QNNC_PRJXRAY_DB are not set")
    proof = examine(Path(path).read_bytes(), Path(database), PART)
    assert [check.status for check in proof.checks[:3]] == ["passed"] * 3


@given(
    table=st.integers(0, 2**16 - 1),
    order=st.permutations(range(4)),
    held=st.dictionaries(st.integers(0, 3), st.booleans(), max_size=2),
)
@settings(max_examples=150, deadline=None)
def test_a_function_is_one_term_however_it_is_written(
    table: int, order: list[int], held: dict[int, bool]
) -> None:
    """Permuted inputs and constants make no difference; another function is another term."""
    terms = Terms()
    inputs = [terms.net(i) for i in range(4)]
    for index, value in held.items():
        inputs[index] = terms.one if value else terms.zero
    moved = sum(
        (table >> sum((at >> new & 1) << old for new, old in enumerate(order)) & 1) << at
        for at in range(16)
    )
    term = terms.lut(table, inputs)
    assert terms.lut(moved, [inputs[old] for old in order]) == term
    free = [i for i in range(4) if i not in held]

    def values(function: int) -> list[int]:
        fixed = sum(int(v) << i for i, v in held.items())
        spots = itertools.product((0, 1), repeat=len(free))
        return [function >> (fixed | sum(b << i for b, i in zip(s, free, strict=True))) & 1
                for s in spots]  # fmt: skip

    for bit in range(16):
        other = table ^ 1 << bit
        assert (terms.lut(other, inputs) == term) == (values(other) == values(table))


def test_a_netlist_equals_itself_read_back() -> None:
    result = compare(DESIGN, MODULE)
    assert result.faults == []
    assert result.elements == {"FF": 2, "RAM": 1, "RAMB18": 2, "SRL": 1}
    assert (result.functions, result.pins) == (5, 6)


def mutants() -> list[tuple[str, str, str]]:
    """Every setting and every input of every cell."""
    return [(name, "setting", key) for name, cell in DESIGN.items() for key in cell.settings] + [
        (name, "pin", pin) for name, cell in DESIGN.items() for pin in cell.pins
    ]


UNUSED = {
    *(("T.RAMB18_Y0", key) for key in (
        "SRVAL_A", "SRVAL_B", "WRITE_MODE_A", "WRITE_WIDTH_A", "READ_WIDTH_B", "DOB_REG", "INIT_A",
        "INIT_B", "RSTREGB", "REGCEB")),
    # half of the table is all that is looked at, and nobody looks at the chain's last carry
    ("T.SLICEL_X0.A6LUT", "SIZE"), ("T.SLICEL_X0.B6LUT", "SIZE"), ("T.SLICEL_X1.CARRY4.B", "DI"),
}  # fmt: skip
"""What the netlist leaves open or does not use."""


@pytest.mark.parametrize(("name", "what", "key"), mutants())
def test_a_wrong_cell_is_found(name: str, what: str, key: str) -> None:
    """Whatever is changed in one cell, the comparison finds it, if it matters."""
    cell = DESIGN[name]
    if what == "setting":
        old = cell.settings[key]
        new: int | str = "NO_CHANGE" if isinstance(old, str) else int(old) ^ 1
        if key.startswith(("READ_WIDTH", "WRITE_WIDTH")):
            new = 9
        if key == "SIZE":
            new = int(old) - 1
        if cell.kind == "LUT" and key == "INIT":
            new = int(old) ^ (1 << 64) - 1
        changed = replace(cell, settings={**cell.settings, key: new})
    else:
        changed = replace(cell, pins={**cell.pins, key: "PS7.EMIOGPIOI9"})
    found = compare({**DESIGN, name: changed}, MODULE).faults
    if (name, key) in UNUSED:
        assert found == []
    else:
        assert found
        assert all(fault.where for fault in found)


def test_what_cannot_be_read_back_is_reported() -> None:
    """No cell is passed over: a kind that is not known leaves the netlist unproved."""
    assert unreadable(MODULE) == []
    other = json.loads(json.dumps(MODULE))
    other["cells"]["ff"]["type"] = "DSP48E1"
    other["cells"]["block"]["parameters"]["RAM_MODE"] = "SDP"
    assert unreadable(other) == ["1 DSP48E1", "1 RAMB18E1 of simple dual port"]


def test_a_lost_or_foreign_cell_is_found() -> None:
    swapped: dict[str, Any] = json.loads(json.dumps(MODULE))
    swapped["cells"]["ff"]["type"] = "FDSE"
    swapped["cells"]["ff"]["connections"]["S"] = swapped["cells"]["ff"]["connections"].pop("R")
    found = compare(DESIGN, swapped).faults
    assert [(fault.where, fault.net) for fault in found] == [("T.SLICEL_X0.AFF", "q")]


@pytest.fixture(scope="module")
def routed(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Path:
    """A small network by the real tools. Takes some minutes."""
    from tests.test_bitstream import MlpSpec, save

    program = shutil.which("nextpnr-himbaechel") or shutil.which("nextpnr-himbaechel-xilinx")
    database = os.environ.get("QNNC_PRJXRAY_DB", "/usr/share/prjxray/database/zynq7")
    if program is None or not (Path(database) / "xc7z020" / "tileconn.json").is_file():
        pytest.skip("nextpnr and a whole prjxray database are not there")
    folder = tmp_path_factory.mktemp("proved")
    spec = MlpSpec((36, 12, 5), 2, 2, "relu", 2, seed=6)
    done = qnnc(
        ["build", save(folder / "m.onnx", spec=spec), "--until", "bitstream", "--fps", "500000",
         "--out", folder / "build", "--cache-dir", cache, "--prjxray-db", database],
        timeout=3600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder / "build"


def test_proof_of_a_routed_network(routed: Path) -> None:
    done = qnnc(["prove", routed, "--count", "16", "--json"], timeout=3600)
    assert done.returncode == 0, done.stdout + done.stderr
    checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert {check["status"] for check in checks.values()} == {"passed"}
    assert checks["board"]["detail"].startswith("16 frames by the shipped driver, 0 mismatches")


def test_frames_and_check_bits_are_read_as_they_were_written(root: Path, payload: bytes) -> None:
    database = BitDatabase(root, PART, "xc7z020")
    device = load(payload, [len(row) for row in database.rows])
    assert (device.faults, device.idcode, device.checksums) == ([], 0x3727093, 2)
    assert check_codes(device.frames) == []
    frame = int(np.flatnonzero(device.frames.any(axis=1))[3])
    for bit in (0, 31 * 32 + 5, 50 * 32 + 3, 50 * 32 + 12, 3231):
        wrong = device.frames.copy()
        wrong[frame, bit // 32] ^= np.uint32(1 << bit % 32)
        assert check_codes(wrong) == [(frame, bit)]
    empty = np.zeros_like(device.frames)
    assert decode(empty, database).count == 0
