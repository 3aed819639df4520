# SPDX-License-Identifier: Apache-2.0
"""Words of a stream: packing and unpacking, and the names and files around them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from qonnx.core.datatype import DataType

from qnnc.compiler.datatypes import datatype, smallest_type, type_of_values
from qnnc.compiler.errors import ModelError, QnncError, WorkspaceError, quote
from qnnc.compiler.files import new_folder, write_bytes
from qnnc.compiler.identifiers import MAX_LENGTH, Namer, identifier
from qnnc.compiler.packing import pack_words, unpack_words
from qnnc.compiler.samples import read_array, shaped
from tests.support.nodes import random_of

KINDS = [
    "BIPOLAR",
    "BINARY",
    "TERNARY",
    "INT2",
    "UINT3",
    "INT5",
    "UINT8",
    "INT8",
    "INT17",
    "UINT32",
]


@given(
    kind=st.sampled_from(KINDS),
    lanes=st.integers(1, 9),
    words=st.integers(1, 9),
    spare=st.integers(0, 3),
    seed=st.integers(0, 999),
)
def test_unpacking_undoes_packing(kind: str, lanes: int, words: int, spare: int, seed: int) -> None:
    found = DataType[kind]
    values = random_of(np.random.default_rng(seed), found, (words, lanes))
    size = -(-lanes * found.bitwidth() // 8) + spare
    packed = pack_words(values, found, lanes, size)
    assert packed.shape == (words, size)
    assert np.array_equal(unpack_words(packed, found, lanes), values.reshape(-1))


def test_elements_lie_from_the_low_bits_up() -> None:
    words = pack_words(np.array([1, -1, 2, 0]), DataType["INT4"], 4, 2)
    assert words.tolist() == [[0xF1, 0x02]]


@given(low=st.integers(-(2**30), 2**30), span=st.integers(0, 2**30))
def test_smallest_type_holds_its_range(low: int, span: int) -> None:
    kind = smallest_type(low, low + span)
    assert kind.min() <= low and low + span <= kind.max()
    if kind.bitwidth() > 2:
        narrower = DataType[f"{'UINT' if low >= 0 else 'INT'}{kind.bitwidth() - 1}"]
        assert not (narrower.min() <= low and low + span <= narrower.max())


def test_types_of_constants() -> None:
    assert type_of_values([1, -1]) == DataType["BIPOLAR"]
    assert type_of_values([1, 1]) == DataType["BINARY"]
    assert type_of_values([1, 0, -1]) == DataType["TERNARY"]
    assert type_of_values([0, 3]) == DataType["UINT2"]
    for wrong in ("FLOAT32", "FIXED<8,4>", "int", "", "UINT8; rm"):
        with pytest.raises(ModelError):
            datatype(wrong)


@given(name=st.text(max_size=60))
def test_identifiers_are_safe_and_unique(name: str) -> None:
    safe = identifier(name)
    assert re.fullmatch(r"[A-Za-z]\w*", safe, re.ASCII) and len(safe) <= MAX_LENGTH
    namer = Namer()
    made = [namer.unique(name) for _ in range(5)]
    assert len({m.lower() for m in made}) == 5


@given(name=st.text(max_size=200))
def test_quoted_names_stay_on_one_line(name: str) -> None:
    text = str(QnncError(f"node {quote(name)} is wrong"))
    assert "\n" not in text and "\x1b" not in text and len(text) < 140


def test_folders_appear_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "a"
    with pytest.raises(RuntimeError), new_folder(target) as out:
        (out / "half").write_text("x")
        raise RuntimeError
    assert not target.exists() and not list(tmp_path.iterdir())
    with new_folder(target) as out:
        (out / "one").write_text("1")
    with new_folder(target) as out:
        (out / "two").write_text("2")
    assert [p.name for p in target.iterdir()] == ["two"]
    with new_folder(target, shared=True) as out:
        (out / "three").write_text("3")
    assert [p.name for p in target.iterdir()] == ["two"]
    assert [p.name for p in tmp_path.iterdir()] == ["a"]
    with pytest.raises(WorkspaceError):
        write_bytes(target / "two" / "x", b"")


def test_sample_files(tmp_path: Path) -> None:
    import gzip
    import struct

    array = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    np.save(tmp_path / "a.npy", array)
    np.savez(tmp_path / "a.npz", only=array)
    idx = struct.pack(">HBB3I", 0, 8, 3, 2, 3, 4) + array.tobytes()
    (tmp_path / "a.idx").write_bytes(idx)
    (tmp_path / "a.gz").write_bytes(gzip.compress(idx))
    for name in ("a.npy", "a.npz", "a.idx", "a.gz"):
        assert np.array_equal(read_array(tmp_path / name), array)
    assert shaped(array, (1, 1, 3, 4), Path("a")).shape == (2, 1, 3, 4)
    with pytest.raises(WorkspaceError, match=r"input is \[5\] a sample"):
        shaped(array, (1, 5), Path("a"))
    np.save(tmp_path / "evil.npy", np.array([object()]), allow_pickle=True)
    (tmp_path / "short.idx").write_bytes(idx[:-1])
    (tmp_path / "text.idx").write_bytes(b"hello")
    for name in ("evil.npy", "short.idx", "text.idx", "missing.npy"):
        with pytest.raises(WorkspaceError):
            read_array(tmp_path / name)
