# SPDX-License-Identifier: Apache-2.0
"""The Vivado scripts, executed by tclsh with Vivado's commands replaced by recorders."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from qnnc.backends.bitstream.fasm.bitfile import bit_file
from qnnc.backends.bitstream.vivado.run import fmax
from qnnc.backends.bitstream.vivado.scripts import write_scripts
from qnnc.compiler.board import find_board
from qnnc.compiler.errors import ToolError
from qnnc.compiler.report import Implementation
from tests.support.shell import inverter

STUB = Path(__file__).parent / "support" / "vivado.tcl"


@pytest.fixture(scope="module")
def tclsh() -> str:
    found = shutil.which("tclsh")
    if found is None:
        pytest.skip("tclsh is not installed")
    return found


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    shell = inverter([(8, 4)])
    shell.write(tmp_path / "shell")
    write_scripts(shell, find_board("Pynq-Z1"), 125.0, tmp_path / "vivado", "../shell")
    return tmp_path / "vivado"


def execute(
    tclsh: str, scripts: Path, name: str, *arguments: str, slack: str = "0.5"
) -> tuple[subprocess.CompletedProcess[str], list[list[str]]]:
    """Run a script; gives the commands it called, in words."""
    folder = scripts.parent
    fake = folder / "fake.bit"
    from datetime import UTC, datetime

    fake.write_bytes(bit_file(b"\0" * 16, "x", "xc7z020clg400-1", datetime.now(UTC)))
    record = folder / "record.txt"
    command = [tclsh, STUB, scripts / name, record, fake, slack, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    return done, [line.split() for line in record.read_text().splitlines()]


def test_build_script(tclsh: str, scripts: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done, calls = execute(tclsh, scripts, "build.tcl", str(out))
    assert done.returncode == 0, done.stderr
    names = [call[0] for call in calls]
    order = ["read_xdc", "synth_design", "opt_design", "place_design", "route_design",
             "report_timing_summary", "write_bitstream"]  # fmt: skip
    assert [name for name in names if name in order] == order
    read = [Path(call[-1]).name for call in calls if call[0] == "read_verilog"]
    assert set(read) == {path.name for path in (tmp_path / "shell").glob("*.sv")}
    assert read[-1] == "qnnc_top.sv"
    memories = [Path(call[-1]).name for call in calls if call[0] == "read_mem"]
    assert set(memories) == {path.name for path in (tmp_path / "shell").glob("*.mem")}
    synth = next(call for call in calls if call[0] == "synth_design")
    assert synth[1:] == ["-top", "qnnc_top", "-part", "xc7z020clg400-1"]
    result = (out / "result.txt").read_text().splitlines()
    assert result[:3] == ["slack_ns 0.5", "hold_slack_ns 0.5", "version 2023.2"]
    assert "used_LUT 3" in result
    assert (out / "accelerator.bit").is_file()


def test_a_missing_source_ends_the_build(tclsh: str, scripts: Path, tmp_path: Path) -> None:
    (tmp_path / "shell" / "qnnc_fifo.sv").unlink()
    done, _ = execute(tclsh, scripts, "build.tcl", str(tmp_path / "out"))
    assert done.returncode != 0
    assert "qnnc_fifo.sv" in done.stderr


def test_the_clock_constraint(scripts: Path) -> None:
    text = (scripts / "clock.xdc").read_text()
    assert "create_clock -name aclk -period 8.000" in text


def test_ip_and_block_design(tclsh: str, scripts: Path, tmp_path: Path) -> None:
    done, calls = execute(tclsh, scripts, "package_ip.tcl")
    assert done.returncode == 0, done.stderr
    by_name = {call[0]: call for call in calls}
    assert "qnnc_top.sv" in by_name["remove_files"][-1]
    assert {"ipx::package_project", "ipx::save_core"} <= set(by_name)
    done, calls = execute(tclsh, scripts, "block_design.tcl")
    assert done.returncode == 0, done.stderr
    flat = [" ".join(call) for call in calls]
    assert any("CONFIG.PCW_FPGA0_PERIPHERAL_FREQMHZ 125" in line for line in flat)
    assert sum(line.startswith("connect_bd_intf_net") for line in flat) == 2
    assert any(line.startswith("assign_bd_address -offset 0x43C00000") for line in flat)
    steps = ["validate_bd_design", "make_wrapper", "launch_runs", "wait_on_run", "open_run"]
    assert [call[0] for call in calls if call[0] in steps] == steps
    assert (scripts / "design" / "accelerator.bit").is_file()
    assert (scripts / "design" / "accelerator.hwh").is_file()
    assert "used_LUT 3" in (scripts / "design" / "result.txt").read_text().splitlines()
    assert not any("HP1" in line or "HP2" in line for line in flat)


def test_a_block_design_with_three_ports_to_memory(tclsh: str, tmp_path: Path) -> None:
    shell = inverter([(8, 4)] * 3, (0, 1, 2))
    shell.write(tmp_path / "shell")
    write_scripts(shell, find_board("Pynq-Z1"), 125.0, tmp_path / "vivado", "../shell")
    done, calls = execute(tclsh, tmp_path / "vivado", "package_ip.tcl")
    assert done.returncode == 0, done.stderr
    buses = [call[1] for call in calls if call[0] == "ipx::get_bus_interfaces"]
    assert buses == ["gp", "hp", "hp2", "hp1", "irq"]
    done, calls = execute(tclsh, tmp_path / "vivado", "block_design.tcl")
    assert done.returncode == 0, done.stderr
    flat = [" ".join(call) for call in calls]
    nets = [line for line in flat if line.startswith("connect_bd_intf_net")]
    clocks = [line for line in flat if line.startswith("connect_bd_net") and "FCLK_CLK0" in line]
    assert len(nets) == 4 and len(clocks) == 5
    for name in ("HP0", "HP2", "HP1"):
        assert any(f"CONFIG.PCW_USE_S_AXI_{name} 1" in line for line in flat)
        assert sum(f"S_AXI_{name}_" in line for line in clocks) == 1
        assert sum(f"{name}_DDR_LOWOCM" in line for line in flat if "assign_bd" in line) == 1


def test_running_it(tclsh: str, scripts: Path, tmp_path: Path) -> None:
    """A program named vivado that hands its script to tclsh."""
    from types import SimpleNamespace

    from qnnc.backends.bitstream.vivado.run import run_vivado
    from qnnc.compiler.progress import Silent

    execute(tclsh, scripts, "build.tcl", str(tmp_path / "unused"))  # makes the bitstream's stand-in
    program = tmp_path / "vivado-fake"
    program.write_text(
        "#!/bin/sh\n"
        f'while [ "$1" != -tclargs ]; do shift; done\n'
        f"exec {tclsh} {STUB} {scripts / 'build.tcl'} {tmp_path / 'record.txt'} "
        f'{tmp_path / "fake.bit"} 0.5 "$2"\n'
    )
    program.chmod(0o755)
    folder = tmp_path / "bitstream"
    folder.mkdir()
    build = SimpleNamespace(folder=tmp_path, progress=Silent(), clock_mhz=125.0)
    result = run_vivado(build, program, folder)  # type: ignore[arg-type]
    assert isinstance(result, Implementation)
    assert (result.flow, result.tool) == ("vivado", "Vivado 2023.2")
    assert result.fmax_mhz == fmax(125.0, "0.5") == round(1000 / 7.5, 2)
    assert result.utilisation["LUT"] == [3]
    program.write_text("#!/bin/sh\necho 'ERROR: [Synth 8-439] module x not found'\nexit 1\n")
    with pytest.raises(ToolError, match="module x not found"):
        run_vivado(build, program, folder)  # type: ignore[arg-type]


def test_the_stand_in_is_strict(tclsh: str, scripts: Path) -> None:
    """It can fail: an argument that Vivado does not have is an error, and so is a command."""
    for wrong, message in (
        ("synth_design -topp x", "no argument -topp"),
        ("create_bd_desing x", "invalid command name"),
        ("read_mem a b", "takes 1 to 1 arguments"),
    ):
        (scripts / "wrong.tcl").write_text(wrong + "\n")
        done, _ = execute(tclsh, scripts, "wrong.tcl")
        assert done.returncode != 0
        assert message in done.stderr


@pytest.mark.parametrize("places", [(0,), (0, 1, 2)])
def test_the_wrapper_is_plain_verilog_with_all_of_the_shells_ports(
    tmp_path: Path, places: tuple[int, ...]
) -> None:
    """Verilator takes it as Verilog 2001 around the shell, every port connected and driven."""
    verilator = shutil.which("verilator")
    if verilator is None:
        pytest.skip("verilator is not installed")
    shell = inverter([(8, 4)] * len(places), places)
    shell.write(tmp_path / "shell")
    write_scripts(shell, find_board("Pynq-Z1"), 125.0, tmp_path / "vivado", "../shell")
    done = subprocess.run(
        [verilator, "--lint-only", "-Wall", "-Wno-fatal", "--top-module", "qnnc_shell_ip",
         "+1364-2001ext+v", "+1800-2017ext+sv", "-y", tmp_path / "shell",
         tmp_path / "vivado" / "qnnc_shell_ip.v"],
        capture_output=True, text=True, check=False, cwd=tmp_path / "shell",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = [line for line in done.stderr.splitlines() if line.startswith("%")]
    assert [line for line in told if "qnnc_shell_ip.v:" in line] == []
    text = (tmp_path / "vivado" / "qnnc_shell_ip.v").read_text()
    assert text.count("PROTOCOL AXI3") == 1 + len(places)
    for name in ("gp WID", "hp WID", "irq INTERRUPT"):
        assert f' {name}"' in text
