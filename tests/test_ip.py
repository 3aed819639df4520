# SPDX-License-Identifier: Apache-2.0
"""The stitched IP: its description read by an independent library, its testbench run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from ipyxact.ipyxact import Component

from benchmarks.networks import MlpSpec, mlp
from qnnc.backends.rtl.ip.package import write_ip
from qnnc.backends.rtl.stitch import stitch
from qnnc.compiler.dataflow.stream_graph import stream_graph
from qnnc.compiler.reference import BatchRunner
from tests.support.build import compile_proto
from tests.support.rtl_lint import WAIVERS


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    proto = mlp(MlpSpec((30, 12, 5), 2, 2, "relu", 2))
    model, _, _ = compile_proto(proto, fold=True, fps=1_000_000.0)
    values = list(dict.fromkeys(edge.value for edge in stream_graph(model).edges))
    x = np.random.default_rng(0).normal(size=(3, 30)).astype(np.float32)
    out = tmp_path_factory.mktemp("ip") / "ip"
    write_ip(stitch(model), out, "xc7z020clg400-1", BatchRunner(model, values).run({"x": x}))
    return out


def test_component_is_read_by_another_library(folder: Path) -> None:
    component = Component()
    with (folder / "component.xml").open() as file:
        component.load(file)
    assert component.name == "qnnc_accelerator"
    interfaces = {i.name: i for i in component.busInterfaces.busInterface}
    assert set(interfaces) == {"s_axis", "m_axis", "aclk", "aresetn"}
    assert interfaces["s_axis"].busType.name == "axis"
    mapped = {m.physicalPort.name for i in interfaces.values() for m in i.portMaps.portMap}
    ports = {p.name: p for p in component.model.ports.port}
    assert mapped == set(ports)
    assert ports["s_axis_tdata"].wire.direction == "in"
    for file_set in component.fileSets.fileSet:
        assert all((folder / file.name).is_file() for file in file_set.file)


def port_widths(path: Path) -> dict[str, int]:
    """Widths as IEEE 1685-2009 has them, wire/vector: ipyxact reads only 2014's vectors."""
    spirit = "{http://www.spiritconsortium.org/XMLSchema/SPIRIT/1685-2009}"
    widths = {}
    for port in ElementTree.parse(path).iter(f"{spirit}port"):
        left = port.find(f"{spirit}wire/{spirit}vector/{spirit}left")
        widths[port.findtext(f"{spirit}name", "")] = 1 if left is None else int(left.text or "") + 1
    return widths


def test_the_top_declares_the_ports_of_the_description(folder: Path) -> None:
    component = Component()
    with (folder / "component.xml").open() as file:
        component.load(file)
    text = (folder / "src" / "qnnc_accelerator.sv").read_text()
    widths = port_widths(folder / "component.xml")
    assert max(widths.values()) > 1
    for port in component.model.ports.port:
        width = widths[port.name]
        wanted = f"[{width - 1}:0] {port.name}" if width > 1 else port.name
        assert wanted in text


def run_testbench(folder: Path) -> str:
    """What the compiled testbench prints."""
    run = subprocess.run(
        [folder / "obj" / "tb"],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        timeout=120,
    )
    return run.stdout


def test_the_testbench_passes(folder: Path, tmp_path: Path) -> None:
    verilator = shutil.which("verilator")
    if verilator is None:
        pytest.skip("verilator is not installed")
    sources = [*folder.glob("src/*.sv"), *folder.glob("tb/*.sv")]
    done = subprocess.run(
        [
            verilator,
            "--binary",
            "--timing",
            "-Wall",  # and every warning is an error
            "--top-module",
            "qnnc_accelerator_tb",
            "--Mdir",
            str(tmp_path / "obj"),
            "-o",
            "tb",
            str(WAIVERS),
            *map(str, sources),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    for memory in [*folder.glob("src/*.mem"), *folder.glob("tb/*.mem")]:
        shutil.copy(memory, tmp_path)
    assert "PASSED" in run_testbench(tmp_path)
    output = next(tmp_path.glob("m_axis.mem"))
    lines = output.read_text().splitlines()
    lines[1] = "f" * len(lines[1]) if set(lines[1]) != {"f"} else "0" * len(lines[1])
    output.write_text("\n".join(lines) + "\n")
    assert "FAILED: 1 words differ" in run_testbench(tmp_path)


def fusesoc(folder: Path, out: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a target of the core in a folder."""
    program = Path(sys.executable).with_name("fusesoc")
    if shutil.which("verilator") is None or not program.is_file():
        pytest.skip("needs verilator and fusesoc (in the extra dev)")
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"  # for cocotb-config
    return subprocess.run(
        [program, "--cores-root", folder, "run", *arguments, "qnnc::qnnc_accelerator"],
        capture_output=True,
        text=True,
        check=False,
        cwd=out,
        env={**os.environ, "HOME": str(out), "PATH": path},
    )


def test_the_core_runs_in_fusesoc(folder: Path, tmp_path: Path) -> None:
    done = fusesoc(folder, tmp_path, "--target=sim")
    assert done.returncode == 0, done.stderr[-2000:]
    assert "PASSED" in done.stdout.splitlines()
    program = next(tmp_path.glob("build/*/sim-verilator/Vqnnc_accelerator_tb"))
    words = program.with_name("m_axis.mem")
    first, *others = words.read_text().splitlines()
    words.write_text("\n".join([f"{int(first, 16) ^ 1:0{len(first)}x}", *others, ""]))
    done = subprocess.run([program], capture_output=True, text=True, check=False, cwd=words.parent)
    assert "FAILED: 1 words differ" in done.stdout


def cocotb_results(out: Path) -> list[list[str]]:
    """Of each test of the bench, what was reported of it but its having run."""
    suites = ElementTree.parse(next(out.glob("build/*/cocotb/results.xml")))
    return [[result.tag for result in case] for case in suites.iter("testcase")]


def test_the_core_has_a_bench_for_cocotb(folder: Path, tmp_path: Path) -> None:
    version = pytest.importorskip("cocotb").__version__
    if int(version.split(".")[0]) > 1:
        pytest.skip(f"cocotb {version} needs a later Verilator than Debian's: needs cocotb 1.9")
    ip = tmp_path / "ip"
    shutil.copytree(folder, ip)
    done = fusesoc(ip, tmp_path, "--target=cocotb")
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("m_axis: 0 mismatches in 15 integers") == 2
    assert cocotb_results(tmp_path) == [[], []]
    changed = json.loads((ip / "cocotb" / "frames.json").read_text())
    changed["outputs"][0]["frames"][1][2] += 1
    (ip / "cocotb" / "frames.json").write_text(json.dumps(changed))
    done = fusesoc(ip, tmp_path, "--run", "--target=cocotb")
    integer = changed["outputs"][0]["frames"][1][2]
    wrong = f"1 of 15 integers differ: 7 is {integer - 1}, not {integer}"
    assert wrong in done.stdout + done.stderr
    assert cocotb_results(tmp_path) == [["failure"], ["failure"]]
