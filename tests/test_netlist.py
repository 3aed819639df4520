# SPDX-License-Identifier: Apache-2.0
"""Contents of memories in netlists and FASM: where words go, and finding cells by marks."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qnnc.backends.bitstream.netlist.contents import _cells, column_width, patch
from qnnc.backends.bitstream.netlist.marks import find_places, marks, put_contents
from qnnc.backends.design import BLOCK, LUTS, Memory
from qnnc.compiler.errors import ToolError


def bit(parameters: dict[str, str], name: str, index: int) -> int:
    """A bit of INIT_xx or INITP_xx parameters taken as one memory."""
    text = parameters[f"{name}_{index // 256:02X}"]
    return int(text[::-1][index % 256])


def read_ram(parameters: dict[str, str], width: int, address: int) -> int:
    """A word as a RAMB18E1 port of 18, 9, 4, 2 or 1 bits reads it (UG473, tables 1-8, 1-16)."""
    if width == 36:
        return read_ram(parameters, 18, address) | read_ram(parameters, 18, address + 512) << 18
    data = {18: 16, 9: 8}.get(width, width)
    word = sum(bit(parameters, "INIT", address * data + i) << i for i in range(data))
    extra = width - data
    word |= sum(bit(parameters, "INITP", address * extra + i) << data + i for i in range(extra))
    return word


@given(
    depth=st.sampled_from([1, 5, 512, 513, 1024, 2000, 4096, 5000, 16384]),
    width=st.integers(1, 80),
    seed=st.integers(0, 99),
)
@settings(max_examples=40, deadline=None)
def test_block_memories_read_back(depth: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    words = [int.from_bytes(rng.bytes(10), "little") & (1 << width) - 1 for _ in range(depth)]
    cells = _cells("a.", Memory(words, width, BLOCK, "rom"))
    column = column_width(depth)
    assert set(cells) == {
        f"a.rom.memory.block.columns.column[{c}].ram.ram" for c in range(-(-width // column))
    }
    for address in {0, depth - 1, depth // 2, depth // 3}:
        found = sum(
            read_ram(cells[f"a.rom.memory.block.columns.column[{c}].ram.ram"], column, address)
            << c * column
            for c in range(-(-width // column))
        )
        assert found == words[address]


@given(depth=st.integers(1, 300), width=st.integers(1, 9), seed=st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_lut_memories_read_back(depth: int, width: int, seed: int) -> None:
    words = np.random.default_rng(seed).integers(0, 1 << width, depth).tolist()
    cells = _cells("", Memory(words, width, LUTS, "r"))
    for address in {0, depth - 1, depth // 2}:
        lut, inside = divmod(address, 64)
        found = sum(
            int(cells[f"r.memory.luts.bits[{i}].rom.lut[{lut}].lut6"]["INIT"][::-1][inside]) << i
            for i in range(width)
        )
        assert found == words[address]


def test_patching_wants_every_cell() -> None:
    cells = {
        "m.lut[0].lut6": {"type": "LUT6", "parameters": {"INIT": "0"}},
        "other": {"type": "LUT6", "parameters": {"INIT": "1"}},
    }
    netlist = {"modules": {"top": {"cells": cells}}}
    patch(netlist, "top", {"m.lut[0].lut6": {"INIT": "11"}})
    assert cells["m.lut[0].lut6"]["parameters"] == {"INIT": "11"}
    assert cells["other"]["parameters"] == {"INIT": "1"}
    with pytest.raises(ToolError, match=r"no cell 'm\.lut"):
        patch(netlist, "top", {"m.lut[1].lut6": {"INIT": "11"}})
    with pytest.raises(ToolError, match="has no contents"):
        patch(netlist, "top", {})


def routed(contents: dict, seed: int) -> tuple[list[str], list[str]]:
    """FASM as a tool would write it for contents, each LUT's inputs permuted; the same places and
    permutations for the same seed."""
    rng = np.random.default_rng(seed)
    orders = list(itertools.permutations(range(6)))
    lines = ["INT_L_X0Y0.A.B"]
    for number, parameters in enumerate(contents.values()):
        if "INIT" in parameters:
            order = orders[rng.integers(720)]
            bits = parameters["INIT"][::-1]
            moved = "".join(
                bits[sum((x >> new & 1) << old for new, old in enumerate(order))] for x in range(64)
            )
            site = f"CLBLL_L_X{number}Y7.SLICEL_X{number % 2}.{'ABCD'[number % 4]}LUT"
            lines.append(f"{site}.INIT[63:0] = 64'b{moved[::-1]}")
        else:
            lines += [
                f"BRAM_L_X6Y{number}.RAMB18_Y1.{name}[255:0] = 256'b{text}"
                for name, text in parameters.items()
            ]
    lines += [
        f"CLBLM_R_X9Y{i}.SLICEM_X0.ALUT.INIT[63:0] = 64'b{int(rng.integers(2**62)):064b}"
        for i in range(50)
    ]
    return lines, list(contents)


def some_contents(seed: int) -> dict:
    rng = np.random.default_rng(seed)
    contents: dict = {}
    for number in range(5):
        words = rng.integers(0, 2**20, 400).tolist()
        contents.update(_cells(f"u{number}.", Memory(words, 20, [LUTS, BLOCK][number % 2], "rom")))
    return contents


@pytest.mark.parametrize("seed", [1, 2])
def test_contents_through_marks_equal_contents_routed(seed: int) -> None:
    """Placing marks and putting contents in is placing the contents."""
    contents = some_contents(seed)
    marked = marks(contents)
    fasm, _ = routed(marked, seed)
    places = find_places(fasm, marked)
    assert put_contents(fasm, places, contents) == routed(contents, seed)[0]
    other = some_contents(seed + 10)
    assert put_contents(fasm, places, other) == routed(other, seed)[0]
    assert put_contents(fasm, places, marked) == fasm


def test_lost_marks_are_told() -> None:
    contents = some_contents(3)
    marked = marks(contents)
    fasm, cells = routed(marked, 3)
    with pytest.raises(ToolError, match="no LUT for memory cell"):
        find_places([fasm[0], *fasm[2:]], marked)
    with pytest.raises(ToolError, match="2 LUTs for memory cell"):
        find_places([*fasm, "CLBLL_L_X99" + fasm[1].removeprefix("CLBLL_L_X0")], marked)
    rams = [line for line in fasm if ".INIT_00" not in line]
    with pytest.raises(ToolError, match="no block RAM"):
        find_places(rams, marked)
    assert len(cells) > 100
