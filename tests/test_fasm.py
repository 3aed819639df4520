# SPDX-License-Identifier: Apache-2.0
"""The assembler: a real design's payload, the bits of features, check bits, and errors."""

from __future__ import annotations

import hashlib
import lzma
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qnnc.backends.bitstream.fasm import Database, assemble, assemble_file, read_payload
from qnnc.backends.bitstream.fasm.checksum import checksum
from qnnc.backends.bitstream.fasm.frames import BITS, WORDS, set_check_bits
from qnnc.compiler.errors import OptionError, QnncError
from tests.conftest import shared_file
from tests.support.build import qnnc
from tests.support.prjxray import COLUMNS, PART, frames_of, make_database

ROWS = [sum(COLUMNS[bus]) for bus in ("CLB_IO_CLK", "BLOCK_RAM") for _ in range(2)]
TINY = "c6be62a2c4e5cde3ec25208325bd1896b4908014b22753fbc343d49b8d819c6a"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_database(tmp_path_factory.mktemp("prjxray") / "made")


@pytest.fixture(scope="module")
def database(root: Path) -> Database:
    return Database(root, PART)


def bits_of(database: Database, *lines: str) -> set[tuple[int, int]]:
    """(frame, bit) of every bit set, without the check bits and what the part needs."""
    frames = frames_of(assemble(lines, database), ROWS)
    frames[:, 50] &= 0xFFFFE000
    bits = np.unpackbits(frames.view(np.uint8), axis=1, bitorder="little")
    found = {(int(f), int(b)) for f, b in np.argwhere(bits)}
    assert (3, 63) in found  # required_features.fasm
    return found - {(3, 63)}


def test_payload_of_a_real_design(tmp_path: Path) -> None:
    out = tmp_path / "tiny.bit"
    database = shared_file("xc7z020/prjxray-db-zynq7")
    source = shared_file("xc7z020/samples/tiny.fasm.xz")
    digest = assemble_file(source, "xc7z020clg400-1", database, out)
    payload = read_payload(out)
    assert hashlib.sha256(payload).hexdigest() == digest
    assert hashlib.sha256(without_checksums(payload)).hexdigest() == TINY


def without_checksums(payload: bytes) -> bytes:
    """The payload with the command to reset the checksum in the place of both checksums."""
    words = np.frombuffer(payload, ">u4").astype(np.uint32)
    found = np.flatnonzero(words == 0x30000001)
    found = found[(words[found + 2] == 0x20000000) & (words[found + 3] == 0x20000000)]
    assert len(found) == 2
    words[found], words[found + 1] = 0x30008001, 7
    return words.astype(">u4").tobytes()


def test_checksums_are_those_of_the_device() -> None:
    """The same algorithm, written down once more, on any number of words."""
    rng = np.random.default_rng(0)
    for count in (0, 1, 7, 1023, 1024, 5000):
        words = rng.integers(0, 2**32, count, dtype=np.uint32)
        state, register = int(rng.integers(2**32)), int(rng.integers(32))
        expected = state
        for word in words.tolist():
            value = register << 32 | word
            for bit in range(37):
                odd = (expected ^ value >> bit) & 1
                expected = expected >> 1 ^ (0x82F63B78 if odd else 0)
        assert checksum([(register, words)], state) == expected


def test_places_of_bits(database: Database) -> None:
    # columns have 4, 6 and 4 frames, rows 14; the bottom half comes after the top
    assert bits_of(database, "LOGIC_X1Y0.MUX.A") == {(4, 64)}
    assert bits_of(database, "LOGIC_X2Y1.MUX.B") == {(14 + 10, 128 + 1)}
    assert bits_of(database, "LOGIC_X0Y0.PLAIN4") == {(1, 4), (2, 5)}
    # block RAM follows all logic
    assert bits_of(database, "RAM_X0Y1.INIT_00[9]") == {(2 * 14 + 8 + 1, 320 + 27)}
    assert bits_of(database, "LOGIC_X0Y0.WIRE.OTHER") == set()


def test_aliased_tiles_shift_their_bits_and_rename_sites(database: Database) -> None:
    assert bits_of(database, "HALF_X9Y0.OUTER.ON") == {(4, 98 * 32 + 40)}


@given(value=st.integers(0, 2**32 - 1), low=st.integers(0, 31), data=st.data())
@settings(max_examples=60, deadline=None)
def test_wide_values_are_their_single_bits(
    database: Database, value: int, low: int, data: st.DataObject
) -> None:
    high = data.draw(st.integers(low, 31))
    value &= (1 << (high - low + 1)) - 1
    base = data.draw(st.sampled_from([("b", "b"), ("h", "x"), ("o", "o"), ("d", "d")]))
    text = f"LOGIC_X2Y0.LUT.INIT[{high}:{low}] = {high - low + 1}'{base[0]}{value:{base[1]}}"
    single = [f"LOGIC_X2Y0.LUT.INIT[{i}]" for i in range(low, high + 1) if value >> (i - low) & 1]
    expected = {(10 + 3, 128 + i) for i in range(low, high + 1) if value >> (i - low) & 1}
    assert bits_of(database, text) == bits_of(database, *single) == expected


@given(chosen=st.lists(st.integers(0, 60), unique=True), seed=st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_order_comments_and_repetition_do_not_matter(
    database: Database, chosen: list[int], seed: object
) -> None:
    lines = [f"LOGIC_X{i % 3}Y{i // 3 % 2}.PLAIN{2 * (i // 6)}" for i in chosen if i // 6 < 10]
    expected = assemble(lines, database)
    shuffled = [*lines, *lines[:2], "", "# comment", "LOGIC_X0Y0.MUX.A = 0"]
    seed.shuffle(shuffled)  # type: ignore[attr-defined]
    decorated = [
        f"  {line} {{ .a = 1 }} # {n}" if line else line for n, line in enumerate(shuffled)
    ]
    assert assemble(decorated, database) == expected


@given(seed=st.integers(0, 2**31), flips=st.sets(st.integers(0, BITS - 1), min_size=1, max_size=2))
@settings(max_examples=60, deadline=None)
def test_check_bits_tell_one_and_two_wrong_bits(seed: int, flips: set[int]) -> None:
    rng = np.random.default_rng(seed)
    frame = rng.integers(0, 2**32, (1, WORDS), dtype=np.uint32)
    set_check_bits(frame)
    wrong = frame.copy()
    for flip in flips:
        wrong[0, flip // 32] ^= np.uint32(1 << flip % 32)
    again = wrong.copy()
    set_check_bits(again)
    assert not np.array_equal(again, wrong)


def test_check_bits_locate_a_wrong_bit() -> None:
    frames = np.zeros((BITS, WORDS), dtype=np.uint32)
    data = [i for i in range(BITS) if not 50 * 32 <= i < 50 * 32 + 13]
    for i in data:
        frames[i, i // 32] = np.uint32(1 << i % 32)
    set_check_bits(frames)
    codes = frames[data, 50] & 0x1FFF
    # a Hamming code: all different, and none that a wrong check bit alone would give
    assert len(set(codes.tolist())) == len(data)
    assert all(bin(code & 0xFFF).count("1") > 1 for code in codes.tolist())


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["", "LOGIC_X0Y0.NONE"], "line 2: 'LOGIC_X0Y0.NONE': tile type LOGIC has no such"),
        (["LOGIC_X7Y0.MUX.A"], "line 1: 'LOGIC_X7Y0.MUX.A': xc7made1-1 has no tile"),
        (["LOGIC_X0Y0.MUX.A", "LOGIC_X0Y0.MUX.B"], "line 1 sets and line 2 clears bit 0 of word 0"),
        (["LOGIC_X0Y0.LUT.INIT[40]"], "line 1"),
        (["LOGIC_X0Y0.LUT.INIT[40:0] = 41'h1ffffffffff"], "line 1"),
        (["LOGIC_X0Y0.LUT.INIT[0:3]"], "upside down"),
        (["LOGIC_X0Y0.LUT.INIT[3:0] = 4'b10000"], "more than the 4 bits"),
        (["LOGIC_X0Y0.LUT.INIT[3:0] = 16"], "more than 4 bits"),
        (["LOGIC_X0Y0.LUT.INIT[3:0] = 4'b2"], "not a number to base 2"),
        (["LOGIC_X0Y0.MUX.A B"], "is not a FASM feature"),
        (["lone"], "is not a FASM feature"),
        (["RAM_X0Y0.INIT_00[64]"], "no such feature"),
        (["IOB_X0Y0.STEPDOWN"], "has no tile"),
        (["LOGIC_X0Y0.A.STEPDOWN"], "STEPDOWN are not supported"),
    ],
)
def test_errors_name_the_line(database: Database, lines: list[str], message: str) -> None:
    with pytest.raises(QnncError) as caught:
        assemble(lines, database)
    assert message in str(caught.value)


def test_wrong_part_and_wrong_folder(root: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"no part 'xc7absent-1'; it has xc7made1-1"):
        Database(root, "xc7absent-1")
    with pytest.raises(OptionError, match="no part"):
        Database(root, "../made/xc7made1-1")
    with pytest.raises(QnncError, match="not a family folder"):
        Database(tmp_path, PART)


def test_truncated_files(root: Path, tmp_path: Path) -> None:
    good = lzma.compress(b"LOGIC_X0Y0.MUX.A\n" * 1000)
    bad = tmp_path / "bad.fasm.xz"
    bad.write_bytes(good[:-20])
    with pytest.raises(QnncError, match="cannot read"):
        assemble_file(bad, PART, root, tmp_path / "out.bit")
    assert not (tmp_path / "out.bit").exists()
    bad.write_bytes(good)
    assemble_file(bad, PART, root, tmp_path / "out.bit")
    cut = (tmp_path / "out.bit").read_bytes()[:-1]
    (tmp_path / "out.bit").write_bytes(cut)
    with pytest.raises(QnncError, match="cut off"):
        read_payload(tmp_path / "out.bit")


def test_command_line(root: Path, tmp_path: Path) -> None:
    fasm = tmp_path / "a.fasm"
    fasm.write_text("LOGIC_X0Y0.MUX.A\nLOGIC_X0Y0.MUX.C\n")
    arguments = ["fasm2bit", fasm, "--part", PART, "--out", tmp_path / "a.bit"]
    done = qnnc([*arguments, "--prjxray-db", root])
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "qnnc: a.fasm line 2: 'LOGIC_X0Y0.MUX.C': tile type LOGIC has no such feature"
    ]
    fasm.write_text("LOGIC_X0Y0.MUX.A\n")
    done = qnnc(arguments, env={"QNNC_PRJXRAY_DB": str(root)})
    assert done.returncode == 0, done.stderr
    payload = read_payload(tmp_path / "a.bit")
    assert done.stdout.strip() == hashlib.sha256(payload).hexdigest()
    assert b"7made1-1\0" in (tmp_path / "a.bit").read_bytes()[:200]


def test_the_assembler_starts_quickly(root: Path, tmp_path: Path) -> None:
    """It loads neither onnx nor onnxruntime."""
    code = (
        "import sys, qnnc.backends.bitstream.fasm\n"
        "print(sorted({'onnx', 'onnxruntime', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout.strip() == "[]"
