# SPDX-License-Identifier: Apache-2.0
"""Simulations with Verilator run the library's assertions: a violation of each kind ends one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from qnnc.backends.bitstream.shell import shell
from qnnc.backends.design import Design
from qnnc.backends.rtl.stitch import stitch
from qnnc.backends.simulation import verilator
from qnnc.backends.simulation.compiler import Compilation
from qnnc.backends.simulation.simulate import Pressure, build_program, simulate
from qnnc.compiler.errors import VerificationError
from tests.support import nodes
from tests.support.rtl import reference
from tests.support.rtl_lint import with_defect
from tests.support.shell import Host, compiled, inverter

PLANTED = [
    ("qnnc_fifo", "s_axis_tvalid & room", "s_axis_tvalid", "never_overfull"),
    ("qnnc_register_slice", "if (move) m_axis_tdata", "m_axis_tdata", "m_axis_holds"),
    ("qnnc_output_fifo", "DEPTH > 16 ? 5 : 4", "1", "no_overflow"),
    ("qnnc_credit", "assign available = |left;", "assign available = 1'b1;", "never_negative"),
    ("qnnc_credit", "left <= left - 1'b1;", "left <= left;", "returns_what_was_taken"),
    ("qnnc_dwc_down", "{{RATIO - 1{1'b0}}, 1'b1}", "{RATIO{1'b1}}", "selects_one_part"),
]
"""Of each: module, text, what stands for it, the assertion that fails."""
IN_THE_SHELL = [
    ("qnnc_bursts", "= ~axaddr[6:3]", "= 4'd15", "ends_at_boundary"),
    ("qnnc_read_arbiter", "m_arready & m_arvalid & m_arid == i", "m_arready", "one_grant"),
]


def small(rng: np.random.Generator) -> list[nodes.Case]:
    """Nodes that use what the defects are planted in."""
    return [
        nodes.thresholding(rng, channels=8, steps=3, x="INT6", pe=2),
        nodes.width_converter(elements=48, kind="INT4", lanes_in=24, lanes_out=4),
        nodes.join(op="Add", vectors=(4,), channels=8, kinds=("INT4", "INT4"), pe=2),
        nodes.fifo(elements=24, kind="UINT4", lanes=1, depth=5, ram="distributed"),
    ]


def run(design: Design, folder: Path, cache: Path, frames: int = 40) -> None:
    """Simulate with a slow reader."""
    rng = np.random.default_rng(3)
    specs = small(rng)
    tensors = reference(nodes.model_of(specs), nodes.random_inputs(specs, frames=frames))
    (folder / "work").mkdir()
    design.write(folder / "rtl")
    how = Compilation(folder / "work", cache, 2, short=True)
    program = build_program(design, folder / "rtl", "verilator", how)
    result = simulate(design, program, folder / "rtl", "verilator", tensors, Pressure(100, 40))
    assert result.mismatches == 0


@pytest.fixture(autouse=True)
def _verilator() -> None:
    if not verilator.installed():
        pytest.skip("verilator is not installed")


def test_nothing_fails_in_what_is_right(tmp_path: Path, cache: Path) -> None:
    run(stitch(nodes.model_of(small(np.random.default_rng(3)))), tmp_path, cache)


@pytest.mark.parametrize(("module", "right", "wrong", "label"), PLANTED)
def test_a_violation_ends_the_simulation(
    module: str, right: str, wrong: str, label: str, tmp_path: Path, cache: Path
) -> None:
    design = stitch(nodes.model_of(small(np.random.default_rng(3))))
    file = f"{module}.sv"
    parts = {**design.parts, file: with_defect(design.parts[file], right, wrong)}
    planted = replace(design, parts=parts)
    with pytest.raises(VerificationError, match=rf"assertion of the RTL fails: \S+\.{label}$"):
        run(planted, tmp_path, cache)


@pytest.mark.parametrize(("module", "right", "wrong", "label"), IN_THE_SHELL)
def test_a_violation_ends_the_simulated_board(
    module: str,
    right: str,
    wrong: str,
    label: str,
    tmp_path: Path,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    library = dict(shell.library())
    library[f"{module}.sv"] = with_defect(library[f"{module}.sv"], right, wrong)
    monkeypatch.setattr(shell, "library", lambda: library)
    board = inverter([(8, 60), (8, 60)])
    program = compiled(board, tmp_path, cache, "verilator")
    failed = pytest.raises(VerificationError, match=rf"assertion of the RTL fails: \S+\.{label}$")
    with Host(board, program, tmp_path / "rtl") as host, failed:
        host.run(3, shift=8)
