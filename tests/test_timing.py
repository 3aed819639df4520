# SPDX-License-Identifier: Apache-2.0
"""The timing model: the longest path against every path, and what a build says of its clock."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import qnnc.backends.rtl.stages.clock as stage
from qnnc.backends.finn.export import export_finn
from qnnc.backends.rtl.resimulate import remake
from qnnc.backends.synthesis.script import library_commands, node_commands
from qnnc.backends.synthesis.stat import BLOCK_RAM, DSP, FLIP_FLOPS, FREE, LUTS
from qnnc.backends.timing import ModuleTiming, Node, Wires, accelerator_paths, netlist_timing
from qnnc.backends.timing import Path as Way
from qnnc.backends.timing.cached import cached_timing
from qnnc.backends.timing.cells import delays_of, parameters_of
from qnnc.backends.yosys import run_script, share_folder
from qnnc.compiler import build
from qnnc.compiler.board import find_board
from qnnc.compiler.clock import highest_clock
from qnnc.compiler.errors import ToolError
from qnnc.compiler.report import Report
from tests.support.build import run_main
from tests.support.small import SmallBuild

LUT, CLOCK_TO_Q, SETUP = 0.124, 0.35, {"D": 0.1, "CE": 0.109}
WIRES = Wires(base=0.3, slope=0.07, column=0.0, local=0.01, crowded=1.0)

Module = dict[str, Any]


def cell(kind: str, **pins: int | str) -> Module:
    return {
        "type": kind,
        "parameters": {},
        "port_directions": {p: "output" if p in ("O", "Q") else "input" for p in pins},
        "connections": {p: [bit] for p, bit in pins.items()},
    }


def module(cells: dict[str, Module], inputs: list[int], outputs: list[int]) -> Module:
    """A module with a port of one bit for each of some nets, and a name for every net."""
    ports = {f"i{b}": {"direction": "input", "bits": [b]} for b in inputs}
    ports |= {f"o{b}": {"direction": "output", "bits": [b]} for b in outputs}
    nets = {b for c in cells.values() for (b,) in c["connections"].values() if isinstance(b, int)}
    names = {f"n{b}": {"hide_name": 0, "bits": [b]} for b in nets}
    return {"ports": ports, "cells": cells, "netnames": names, "attributes": {}}


@st.composite
def networks(draw: st.DrawFn) -> Module:
    """LUTs in any order between flip-flops and ports."""
    inputs = list(range(2, 2 + draw(st.integers(1, 3))))
    held = list(range(10, 10 + draw(st.integers(1, 3))))
    known, cells = inputs + held, {}
    for number in range(draw(st.integers(1, 9))):
        reads = draw(st.lists(st.sampled_from([*known, "0"]), min_size=1, max_size=3))
        pins = {f"I{i}": bit for i, bit in enumerate(reads)}
        cells[f"lut{number}"] = cell(f"LUT{len(reads)}", **pins, O=20 + number)
        known.append(20 + number)
    for bit in held:
        pins = {"D": draw(st.sampled_from(known)), "CE": draw(st.sampled_from([*known, "1"]))}
        cells[f"ff{bit}"] = cell("FDRE", C=99, R="0", Q=bit, **pins)
    shuffled = dict(draw(st.permutations(list(cells.items()))))
    outputs = draw(st.lists(st.sampled_from(known), max_size=2, unique=True))
    return module(shuffled, inputs, outputs)


def every_path(found: Module) -> dict[tuple[str, str], tuple[float, int]]:
    """The slowest path between each kind of start and end, by walking all of them."""
    cells = found["cells"].values()
    outs = {b for p in found["ports"].values() if p["direction"] == "output" for b in p["bits"]}
    pins = Counter(
        bit
        for c in cells
        for pin, (bit,) in c["connections"].items()
        if c["port_directions"][pin] == "input"
    )
    pins.update(outs)
    readers: dict[Any, list[tuple[Module, str]]] = {}
    for c in cells:
        for pin, (bit,) in c["connections"].items():
            if c["port_directions"][pin] == "input":
                readers.setdefault(bit, []).append((c, pin))
    best: dict[tuple[str, str], tuple[float, int]] = {}

    def walk(bit: int, driver: str, start: str, ns: float, levels: int) -> None:
        def ends(name: str, ns: float) -> None:
            if ns > best.get((start, name), (-1.0, 0))[0]:
                best[start, name] = ns, levels

        if bit in outs:
            ends(f"o{bit}", ns)
        for c, pin in readers.get(bit, []):
            wire = 0.3 + 0.07 * (math.sqrt(pins[bit]) - 1)
            if c["type"] == "FDRE" and pin in SETUP:
                if driver == "LUT" and pin == "D" and pins[bit] == 1:
                    wire = 0.01
                ends("register", ns + SETUP[pin] + (0.0 if driver == "port" else wire))
            elif c["type"] != "FDRE":
                (out,) = c["connections"]["O"]
                more = LUT if driver == "port" else wire + LUT
                walk(out, "LUT", start, ns + more, levels + 1)

    for c in cells:
        if c["type"] == "FDRE":
            walk(c["connections"]["Q"][0], "register", "register", CLOCK_TO_Q, 0)
    for name, port in found["ports"].items():
        if port["direction"] == "input":
            walk(port["bits"][0], "port", name, 0.0, 0)
    return best


@settings(max_examples=100, deadline=None)
@given(networks())
def test_no_path_is_longer_and_none_is_left_out(found: Module) -> None:
    timing = netlist_timing({"modules": {"top": found}}, "top", WIRES)
    mine = {("register", "register"): timing.inside} if timing.inside else {}
    mine |= {("register", out): way for out, way in timing.leaving.items()}
    mine |= {(port, "register"): way for port, way in timing.entering.items()}
    mine |= timing.passing
    expected = every_path(found)
    assert mine.keys() == expected.keys()
    for key, way in mine.items():
        assert way.ns == pytest.approx(expected[key][0], abs=1e-9), key


def test_modules_inside_count_like_their_cells() -> None:
    """The same LUTs and flip-flops, in one module and with two of the LUTs in one of their own."""
    luts = {"a": cell("LUT2", I0=10, I1=11, O=20), "b": cell("LUT2", I0=20, I1=10, O=21)}
    rest = {
        "c": cell("LUT1", I0=21, O=22),
        "p": cell("FDRE", C=99, CE="1", R="0", D=22, Q=10),
        "q": cell("FDRE", C=99, CE="1", R="0", D=11, Q=11),
    }
    flat = module({**luts, **rest}, [], [])
    ports = {f"i{b}": b for b in (10, 11)} | {"o21": 21}
    directions = {port: "output" if port == "o21" else "input" for port in ports}
    child = {**cell("child", **ports), "port_directions": directions}
    top = module({"inner": child, **rest}, [], [])
    both = {"top": top, "child": module(luts, [10, 11], [21])}
    apart = netlist_timing({"modules": both}, "top", WIRES).inside
    alone = netlist_timing({"modules": {"top": flat}}, "top", WIRES).inside
    assert apart is not None and alone is not None
    for way in (apart, alone):
        assert way.start in ("n10", "n11")  # both are as late
        assert (way.levels, way.end) == (3, "n10")
    # the port's net counts as a pin inside, too
    assert apart.ns == pytest.approx(alone.ns, abs=0.1)


def test_wires_of_their_own_are_short() -> None:
    """Carry chains, DSP cascades and what lies in one slice do not go through the fabric."""
    assert WIRES.delay("carry", "carry", "CI", 1) == WIRES.local
    assert WIRES.delay("column", "column", "PCIN", 1) == WIRES.local
    assert WIRES.delay("LUT", "carry", "S[0]", 1) == 0.0 < WIRES.delay("LUT", "carry", "S[0]", 2)
    assert WIRES.delay("LUT", "register", "D", 1) == WIRES.local
    assert WIRES.delay("LUT", "register", "CE", 1) == WIRES.base
    far = replace(WIRES, column=0.5)
    assert far.delay("column", "LUT", "I0", 4) == pytest.approx(0.3 + 0.07 + 0.5)


def test_a_loop_is_refused_and_named() -> None:
    cells = {"a": cell("LUT2", I0=2, I1=21, O=20), "b": cell("LUT1", I0=20, O=21)}
    with pytest.raises(ToolError, match=r"loop without a register through the signal n2[01]"):
        netlist_timing({"modules": {"top": module(cells, [2], [21])}}, "top")


def test_every_cell_that_is_counted_is_timed() -> None:
    registers = dict.fromkeys(("AREG", "BREG", "CREG", "MREG", "PREG"), "1")
    for kind in {*LUTS, *FLIP_FLOPS, *BLOCK_RAM, *DSP, *FREE}:
        found = {"type": kind, "parameters": registers, "connections": {}}
        assert delays_of(kind, parameters_of(found)) is not None
    with pytest.raises(ToolError, match="does not know the cell URAM288"):
        delays_of("URAM288", ())
    with pytest.raises(ToolError, match="DSP48E1 without registers"):
        delays_of("DSP48E1", (("AREG", 0), ("BREG", 0), ("MREG", 1)))
    with pytest.raises(ToolError, match=r"does not know FDRE\.X"):
        cells = {"a": cell("FDRE", C=99, X=2, Q=20)}
        netlist_timing({"modules": {"top": module(cells, [2], [20])}}, "top")


def test_a_lut_of_two_outputs_delays_what_it_looks_at() -> None:
    """A carry-save adder's place: parity of four inputs, majority of the first three."""
    table = "01101001100101101001011001101001" + "11101000111010001110100011101000"
    pins = {f"I{i}": [2 + i] for i in range(4)} | {"I4": ["0"], "I5": ["1"]}
    place = {"type": "LUT6_2", "parameters": {"INIT": table}, "connections": pins}
    ways = delays_of("LUT6_2", parameters_of(place)).through
    assert set(ways) == {(f"I{i}", "O6") for i in range(4)} | {(f"I{i}", "O5") for i in range(3)}
    half = {**place, "connections": {**pins, "I0": ["0"], "I1": ["0"]}}  # no majority is left
    assert {
        pin for pin, out in delays_of("LUT6_2", parameters_of(half)).through if out == "O5"
    } == set()


@pytest.mark.parametrize("kind", ["CARRY4", "MUXF7", "MUXF8", "SRL16E", "SRLC32E", "FDRE"])
def test_delays_are_those_of_yosys(kind: str) -> None:
    """Read from its Verilog by other means; what a LUT and a flip-flop differ in is stated."""
    text = (share_folder() / "xilinx" / "cells_sim.v").read_text(encoding="utf-8")
    body = re.search(rf"\nmodule {kind} ?\(.*?\nendmodule", text, re.DOTALL)
    assert body is not None
    own = delays_of(kind, ())
    ways = re.findall(r"^\s*\((\w+(?:\[\d\])?)\s*=> (\w+(?:\[\d\])?)\) = (\d+);", body[0], re.M)
    theirs = {(pin, out): int(ps) / 1000 for pin, out, ps in ways}
    if kind == "SRLC32E":  # the slowest of its address
        theirs = {("A", "Q"): max(theirs.values())}
    assert dict(own.through) == theirs
    setups = re.findall(r"\$setup\((CE|R|D) *, posedge \w+ [^,]*, *(\d+)\)", body[0])
    assert [own.setup[pin] for pin, _ in setups] == [int(ps) / 1000 for _, ps in setups]
    launches = re.findall(r"=> \((Q\d*) : [^)]*\)\) = (\d+);", body[0])
    if kind != "FDRE":
        assert dict(own.launch) == {pin: int(ps) / 1000 for pin, ps in launches}


PLANTED = """\
module planted (input wire aclk, input wire aresetn, input wire [47:0] a, output reg [47:0] fast);
  reg [47:0] x, slow;
  always @(posedge aclk) begin
    x <= a;
    slow <= (slow ^ x) + {x[0], slow[47:1]} + {slow[3:0], x[47:4]};
    fast <= slow;
  end
endmodule
"""


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("planted") / "unit"
    folder.mkdir()
    (folder / "planted.sv").write_text(PLANTED, encoding="utf-8")
    commands = library_commands() + node_commands(["planted.sv"], "planted", ".", block_ram=False)
    run_script(commands, folder, folder / "log", "synthesis")
    return folder / "netlist.json"


def test_a_planted_slow_path_is_found(planted: Path, tmp_path: Path) -> None:
    timing = netlist_timing(json.loads(planted.read_text(encoding="utf-8")), "planted")
    slow = timing.inside
    assert slow is not None and re.fullmatch(r"slow\[\d+\]", slow.end)
    assert slow.start.partition("[")[0] in ("slow", "x") and slow.levels > 12 and slow.ns > 3
    assert timing.leaving["fast"].levels == 0 and timing.entering["a"].levels == 0
    assert cached_timing(planted, "planted", tmp_path) == timing
    planted.rename(planted.with_suffix(".gone"))  # the second time from the cache alone
    assert cached_timing(planted, "planted", tmp_path) == timing
    planted.with_suffix(".gone").rename(planted)


def of(leaving: dict[str, float], entering: dict[str, float], inside: float) -> ModuleTiming:
    def ways(found: dict[str, float]) -> dict[str, Way]:
        return {name: Way(ns, 2, "from", "to") for name, ns in found.items()}

    pins = dict.fromkeys(entering, 4)
    return ModuleTiming(Way(inside, 5, "p", "q"), ways(leaving), ways(entering), {}, pins)


def test_paths_between_nodes_belong_to_where_they_end() -> None:
    data, ready = "_tdata", "_tready"
    first = of({f"m_axis{data}": 3.0, f"s_axis{ready}": 1.0}, {f"m_axis{ready}": 0.5}, 2.0)
    second = of({f"s_axis{ready}": 0.4}, {f"s_axis{data}": 2.5}, 2.0)
    nodes = [
        Node("a", first, {"s_axis": "s_axis", "m_axis": "wire"}),
        Node("b", second, {"s_axis": "wire", "m_axis": "m_axis"}),
    ]
    wires = replace(WIRES, slope=0.1)
    a, b = accelerator_paths(nodes, wires)
    # to four pins: 0.3 + 0.1 * (2 - 1) = 0.4
    assert b == Way(pytest.approx(3.0 + 0.4 + 2.5), 4, "a.from", "b.to")
    assert a == Way(2.0, 5, "a.p", "a.q")
    later = accelerator_paths(nodes, replace(wires, crowded=1.5))
    assert later[1] == replace(b, ns=pytest.approx(1.5 * 5.9))
    alone = [accelerator_paths(nodes[:1], replace(wires, crowded=f)) for f in (1.0, 1.5)]
    assert alone[0] == alone[1]
    loop = replace(first, passing={(f"m_axis{ready}", f"m_axis{data}"): Way(1, 1, "", "")})
    back = replace(second, passing={(f"s_axis{data}", f"s_axis{ready}"): Way(1, 1, "", "")})
    with pytest.raises(ToolError, match="loop without a register"):
        accelerator_paths([replace(nodes[0], timing=loop), replace(nodes[1], timing=back)])


def again(small: SmallBuild, out: Path, **options: Any) -> Report:
    """The small network once more, as far as its synthesis, from the cache."""
    return build(
        small.model, out=out, fps=1e6, top_k=1, frames=4, engine="cxxrtl", cache=small.cache,
        until="synthesize", verify="none", **options,
    )  # fmt: skip


def slowed(monkeypatch: pytest.MonkeyPatch, factor: float) -> None:
    """Make the paths of every node but one so many times as long, and that one longer."""

    def paths(nodes: list[Node], wires: Wires) -> list[Way | None]:
        found = [p and replace(p, ns=p.ns * factor) for p in accelerator_paths(nodes, wires)]
        last = next(i for i, node in enumerate(nodes) if node.name.startswith("mvau"))
        found[last] = Way(20.0 * factor, 7, "mvau_0.here", "mvau_0.there CE")
        return found

    monkeypatch.setattr(stage, "accelerator_paths", paths)


def test_a_build_reports_its_clock(small_build: SmallBuild) -> None:
    report = Report.model_validate_json(small_build.output)
    assert report.timing is not None
    ways = {layer.name: layer.timing for layer in report.layers}
    assert all(way is not None and way.ns > 0.5 for way in ways.values())
    slowest = max(report.layers, key=lambda layer: layer.timing.ns if layer.timing else 0.0)
    assert report.timing.layer == slowest.name and slowest.timing is not None
    assert report.timing.fmax_mhz == round(1000 / slowest.timing.ns, 1) > report.clock_mhz
    assert slowest.timing.end.startswith(f"{slowest.instance}.")
    assert not [text for text in report.warnings if "timing model" in text]
    page = (small_build.out / "report.html").read_text(encoding="utf-8")
    assert f"{report.timing.fmax_mhz:g} MHz" in page and slowest.timing.end in page


def test_a_clock_that_does_not_hold_is_warned_of(
    small_build: SmallBuild, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slowed(monkeypatch, 1.0)  # 50 MHz
    report = again(small_build, tmp_path / "o", clock_mhz=125)
    (text,) = [text for text in report.warnings if "timing model" in text]
    assert "125 MHz is more than the 50 MHz" in text and "mvau_0 (of " in text
    assert text.endswith("--clock-mhz 50 would hold")
    assert report.clock_mhz == 125 and report.performance is not None
    assert report.performance.clock_mhz == 125


@pytest.mark.parametrize("factor", [0.25, 0.25005, 0.5, 0.97, 3.0])
def test_auto_takes_the_highest_clock_that_holds(
    small_build: SmallBuild, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, factor: float
) -> None:
    slowed(monkeypatch, factor)
    report = again(small_build, tmp_path / "o", clock_mhz="auto")
    assert report.timing is not None and report.performance is not None
    pll = find_board("Pynq-Z1").pll_mhz
    assert report.timing.fmax_mhz == round(50 / factor, 1)
    longest = max(layer.timing.ns for layer in report.layers if layer.timing)
    assert report.clock_mhz == report.performance.clock_mhz
    assert report.clock_mhz == highest_clock(pll, 1000 / longest)
    cycles = report.performance.ii_cycles
    assert cycles is not None
    assert report.performance.fps == round(report.clock_mhz * 1e6 / cycles, 1)
    # the commands that make a build again take the clock that it has chosen
    assert remake(tmp_path / "o", tmp_path / "again").clock_mhz == report.clock_mhz
    script = (export_finn(tmp_path / "o") / "build.py").read_text(encoding="utf-8")
    assert f"synth_clk_period_ns={1000 / report.clock_mhz:.3f}" in script
    missed = [text for text in report.warnings if "asked for" in text]
    assert bool(missed) == (report.performance.fps < 1e6)


def test_auto_without_synthesis_is_refused(
    small_build: SmallBuild, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "o"
    for arguments, words in (
        (("--clock-mhz", "auto", "--until", "estimate"), "--clock-mhz auto needs synthesis"),
        (("--clock-mhz", "fast"), "--clock-mhz is a number or auto, not 'fast'"),
        (("--clock-mhz", "nan"), "--clock-mhz must be positive"),
    ):
        code, _, complaint = run_main(capfd, "build", small_build.model, "--out", out, *arguments)
        assert code == 2 and words in complaint
        assert not out.exists() or not np.any([p.is_file() for p in out.iterdir()])
