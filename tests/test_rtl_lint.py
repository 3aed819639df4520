# SPDX-License-Identifier: Apache-2.0
"""The SystemVerilog of both libraries passes Verilator's lint, every rule on; what is waived
stands with its reason in backends/rtl/lint.vlt."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from qnnc.backends.rtl.stitch import stitch
from qnnc.backends.simulation import verilator
from qnnc.compiler.dataflow.registry import lacks
from qnnc.nodes.table import NODES
from qnnc.nodes.testing import cases_of
from tests.support import nodes
from tests.support.build import compile_proto
from tests.support.lstm import Lstm
from tests.support.rtl_lint import (
    PARAMETERS,
    WAIVERS,
    XILINX,
    cells,
    lint,
    modules,
    wrapper,
)
from tests.support.small import SmallBuild
from tests.test_synthesis import specs

MODULES = sorted(modules())
FOR_SYNTHESIS = {
    "qnnc_carry", "qnnc_lut_rom", "qnnc_ramb18_dual", "qnnc_ramb18_rom", "qnnc_rom_columns",
}  # fmt: skip
"""Modules that consist of Xilinx primitives, or are empty, unless they are synthesised."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every library file, and the cells that they instantiate."""
    if not verilator.installed():
        pytest.skip("verilator is not installed")
    folder = tmp_path_factory.mktemp("lint")
    for name, text in modules().items():
        (folder / f"{name}.sv").write_text(text)
    (folder / "cells.v").write_text(cells())
    return folder


def lint_wrapped(
    names: Sequence[str], folder: Path, work: Path, defines: tuple[str, ...] = ()
) -> list[str]:
    """What lint finds in modules, each with all of its sets of parameters.

    Args:
        folder: of the modules' files.
        work: a folder for the wrappers that set the parameters.
    """
    wrappers = [
        wrapper(modules()[name], f"{name}_{index}", parameters)
        for name in names
        for index, parameters in enumerate(({}, *PARAMETERS.get(name, ())))
    ]
    rules = ("DECLFILENAME", "PINMISSING", "UNUSEDSIGNAL", "UNDRIVEN")
    off = "".join(f"// verilator lint_off {rule}\n" for rule in rules)
    tops = [f"  {name} {name} ();\n" for name in re.findall(r"module (\w+)", "".join(wrappers))]
    text = "".join([off, *wrappers, "module wrappers;\n", *tops, "endmodule\n"])
    (work / "wrappers.sv").write_text(text)
    cells_file = [folder / "cells.v"] if defines == XILINX else []
    return lint(folder, [work / "wrappers.sv", *cells_file], defines, "wrappers")


@pytest.mark.parametrize("defines", [(), XILINX, ("QNNC_ASSERTIONS",)], ids=str)
def test_modules_are_clean_with_all_their_parameters(
    defines: tuple[str, ...], folder: Path, tmp_path: Path
) -> None:
    names = [name for name in MODULES if defines == XILINX or name not in FOR_SYNTHESIS]
    assert lint_wrapped(names, folder, tmp_path, defines) == []


@pytest.mark.parametrize(
    ("planted", "rule"),
    [
        ("localparam [CBITS-1:0] FULL = ROWS;", "WIDTH"),
        ("wire [CBITS-1:0] FULL = CBITS'(ROWS); wire spare = FULL[0];", "UNUSEDSIGNAL"),
    ],
)
def test_lint_finds_what_is_planted(planted: str, rule: str, folder: Path, tmp_path: Path) -> None:
    text, count = re.subn(r"localparam .*FULL = .*;", planted, modules()["qnnc_fifo"])
    assert count == 1
    (tmp_path / "qnnc_fifo.sv").write_text(text)
    for name in ("qnnc_delay.sv",):
        shutil.copy(folder / name, tmp_path)
    found = lint_wrapped(["qnnc_fifo"], tmp_path, tmp_path)
    assert any(line.startswith(f"%Warning-{rule}") for line in found), found


@pytest.mark.parametrize("name", MODULES)
def test_a_file_holds_one_module_of_its_name(name: str) -> None:
    assert re.findall(r"^module (\w+)", modules()[name], re.MULTILINE) == [name]


def test_dsp_blocks_are_instantiated_in_one_place() -> None:
    assert [name for name, text in modules().items() if "DSP48E1 #(" in text] == ["qnnc_dsp"]


def test_an_accelerator_of_many_nodes_is_clean(folder: Path, tmp_path: Path) -> None:
    """What the generators of all nodes write, and the top around it."""
    cases = [case for op_type in NODES for case in cases_of(op_type)[::4]]
    assert {case.op_type for case in cases} == {n for n in NODES if not lacks(n, "cases")}
    design = stitch(nodes.model_of([*specs(), *cases]))
    design.write(tmp_path / "rtl")
    top = tmp_path / "rtl" / f"{design.top}.sv"
    assert lint(tmp_path / "rtl", [top], ("QNNC_ASSERTIONS",), design.top) == []


def test_a_recurrence_is_clean(folder: Path, tmp_path: Path) -> None:
    """Both ends of one, which have no cases of their own."""
    model, _, _ = compile_proto(Lstm().model(head=3), samples=2, each=False, fold=True, fps=1000)
    design = stitch(model)
    design.write(tmp_path / "rtl")
    top = tmp_path / "rtl" / f"{design.top}.sv"
    assert lint(tmp_path / "rtl", [top], ("QNNC_ASSERTIONS",), design.top) == []


def test_a_whole_build_is_clean(folder: Path, small_build: SmallBuild) -> None:
    rtl = small_build.out / "rtl"
    assert lint(rtl, [rtl / "qnnc_accelerator.sv"], (), "qnnc_accelerator") == []


def test_every_waiver_has_a_reason_and_an_aim() -> None:
    """Waivers come in paragraphs that begin with the reason, and name files that exist."""
    paragraphs = WAIVERS.read_text().split("`verilator_config")[1].strip().split("\n\n")
    for paragraph in paragraphs:
        assert paragraph.startswith("// "), paragraph
        for line in paragraph.splitlines()[1:]:
            assert line.startswith(("// ", "lint_off -")), line
            found = re.search(r'-file "\*/([\w*.?]+)"', line)
            generated = ("cells.v", "_??????????.sv", "qnnc_accelerator.sv")
            if found and found[1] not in generated:
                pattern = re.compile(found[1].replace(".", r"\.").replace("*", ".*"))
                assert any(pattern.fullmatch(f"{name}.sv") for name in modules()), line
