# SPDX-License-Identifier: Apache-2.0
"""Contents of memories in netlists and FASM: where words go, and finding cells by marks."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qnnc.backends.bitstream.netlist.contents import _cells, column_width, patch
from qnnc.backends.bitstream.netlist.for_nextpnr import adapt
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


def test_lost_marks_are_reported() -> None:
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


def lut(table: list[int], inputs: list[int | str], output: int) -> dict:
    """A LUT of that many inputs, or a LUT6_2 for `output` and the net after it."""
    names = [f"I{i}" for i in range(len(inputs))]
    return {
        "type": f"LUT{len(inputs)}", "attributes": {}, "hide_name": 0,
        "parameters": {"INIT": "".join(map(str, reversed(table)))},
        "connections": {**{n: [b] for n, b in zip(names, inputs, strict=True)}, "O": [output]},
        "port_directions": {**dict.fromkeys(names, "input"), "O": "output"},
    }  # fmt: skip


def netlist_of(cells: dict) -> dict:
    return {"modules": {"top": {"cells": cells, "netnames": {}, "ports": {}}}}


def values(cells: dict, given_: dict[int, int]) -> dict[int, int]:
    """What LUTs, of which none drives another, make of the nets given."""
    found = {}
    for cell in cells.values():
        if not cell["type"].startswith("LUT"):
            continue
        pins, init = cell["connections"], cell["parameters"]["INIT"][::-1]
        bits = [pins.get(f"I{i}", ["x"])[0] for i in range(int(cell["type"][3]))]
        where = [{"0": 0, "1": 1}.get(bit) if isinstance(bit, str) else given_[bit] for bit in bits]
        reads = {
            init[sum(bit << i for i, bit in enumerate(choice))]
            for choice in itertools.product(*((0, 1) if bit is None else (bit,) for bit in where))
        }
        assert len(reads) == 1, "an input that is left open is looked at"
        found[pins["O"][0]] = int(reads.pop())
    return found


@given(
    inputs=st.lists(st.sampled_from([2, 3, 4, 5, 6, 7, "0", "1"]), min_size=1, max_size=6),
    seed=st.integers(0, 999),
)
@settings(max_examples=200, deadline=None)
def test_no_lut_for_nextpnr_sees_a_constant(inputs: list[int | str], seed: int) -> None:
    table = np.random.default_rng(seed).integers(0, 2, 1 << len(inputs)).tolist()
    before, after = {"a": lut(table, inputs, 9)}, {"a": lut(table, inputs, 9)}
    adapt(netlist_of(after), "top", {})
    used = [bits[0] for pin, bits in after["a"]["connections"].items() if pin != "O"]
    assert not {"0", "1"} & set(used)
    for choice in itertools.product((0, 1), repeat=6):
        nets = dict(zip(range(2, 8), choice, strict=True))
        assert values(after, nets) == values(before, nets)
    kept = {"a": lut(table, inputs, 9)}
    adapt(netlist_of(kept), "top", {"a": {}})
    assert kept == before


@given(last=st.sampled_from([7, "0", "1"]), seed=st.integers(0, 99))
@settings(max_examples=50, deadline=None)
def test_luts_of_two_outputs_become_two(last: int | str, seed: int) -> None:
    table = np.random.default_rng(seed).integers(0, 2, 64).tolist()
    inputs: list[int | str] = [2, 3, 4, 5, 6, last]
    both = lut(table, inputs, 9)
    both["type"] = "LUT6_2"
    both["connections"]["O5"], both["connections"]["O6"] = [8], both["connections"].pop("O")
    after = {"a": both}
    adapt(netlist_of(after), "top", {})
    wanted = {"o6": lut(table, inputs, 9), "o5": lut(table[:32], inputs[:5], 8)}
    assert len(after) == 2
    for choice in itertools.product((0, 1), repeat=6):
        nets = dict(zip(range(2, 8), choice, strict=True))
        assert values(after, nets) == values(wanted, nets)


def test_constants_at_a_carry_come_from_luts() -> None:
    cells = {
        "c": {
            "type": "CARRY4",
            "connections": {"S": [2, "1", "0", "0"], "DI": ["0", 3, "1", "0"], "CI": ["0"],
                            "CYINIT": ["1"], "O": [10, 11, 12, 13], "CO": [14, 15, 16, 17]},
            "port_directions": {"S": "input", "DI": "input", "CI": "input", "CYINIT": "input",
                                "O": "output", "CO": "output"},
        },
        "user": lut([0, 1], [16], 20),
    }  # fmt: skip
    before = json.loads(json.dumps(cells["c"]["connections"]))
    adapt(netlist_of(cells), "top", {})
    after = cells["c"]["connections"]
    driven = values({n: c for n, c in cells.items() if n != "user"}, {})
    for port in ("S", "DI"):
        for old, new in zip(before[port][:3], after[port][:3], strict=True):
            assert new == old if isinstance(old, int) else driven[new] == int(old)
    # nothing looks at what the last position gives
    assert (driven[after["S"][3]], after["DI"][3]) == (0, "x")
    assert len(driven) == 5
    assert after["CI"] == ["0"] and after["CYINIT"] == ["1"]


@pytest.mark.parametrize("written", [False, True])
def test_a_memory_that_is_not_written_gets_no_data(written: bool) -> None:
    pins = {"DIADI": 16 * ["0"], "DIPBDIP": 2 * ["0"], "WEA": ["0", "0"],
            "WEBWE": ["0", "0", "0", 4 if written else "0"], "ADDRARDADDR": 14 * [3]}  # fmt: skip
    cell = {
        "type": "RAMB18E1",
        "connections": pins,
        "port_directions": dict.fromkeys(pins, "input"),
    }
    adapt(netlist_of({"r": cell}), "top", {"r": {}})
    assert ("DIADI" in cell["connections"]) == written
    assert cell["connections"].keys() == cell["port_directions"].keys()
