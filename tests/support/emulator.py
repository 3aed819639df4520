# SPDX-License-Identifier: Apache-2.0
"""Running models of dataflow nodes as C++: the emulator, and the HLS top functions."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx_ir as ir
import pytest
from numpy.typing import NDArray

from qnnc.backends.hls.emulator.emulator import Emulator, write_emulator
from qnnc.backends.hls.emulator.network import network_of
from qnnc.backends.hls.project.node_files import NodeProject
from qnnc.backends.hls.project.write import node_projects, write_project
from qnnc.backends.hls.stages.emulate import Comparison, compare
from qnnc.backends.simulation.compiler import compiler
from qnnc.compiler.dataflow.stream_graph import stream_graph


def run_emulator(
    model: ir.Model, tensors: Mapping[str, NDArray[Any]], cache: Path, threads: int = 1
) -> Comparison:
    """Emulate a model and compare every stream with the tensors."""
    network = network_of(model)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "emulator"
        write_emulator(network, folder)
        emulator = Emulator(folder)
        program, _ = emulator.compile(cache)
        inputs = {t.name: tensors[t.name] for t in emulator.inputs}
        emulation = emulator.run(program, inputs, threads=threads, taps=True)
    return compare(emulation, tensors)


def hls_project(
    model: ir.Model, tensors: Mapping[str, NDArray[Any]], folder: Path
) -> list[NodeProject]:
    """Write the project of all nodes of a model."""
    graph = stream_graph(model)
    names = [f"node_{i}" for i in range(len(graph.nodes))]
    projects = node_projects(graph, names, tensors, range(len(names)))
    write_project(folder, projects, None, "xc7z020clg400-1", 100)
    return list(projects.values())


def ap_int_flags() -> list[str]:
    """Flags for the genuine ap_int headers; skips the test where they are not installed."""
    found = importlib.util.find_spec("hls4ml")
    base = Path(found.origin).parent if found and found.origin else None
    if "QNNC_AP_TYPES" in os.environ:
        folder = Path(os.environ["QNNC_AP_TYPES"])
    elif base is not None:
        folder = base / "templates" / "vivado" / "ap_types"
    else:
        pytest.skip("hls4ml, which brings ap_int.h, is not installed")
    return ["-DQNNC_AP_INT", "-isystem", str(folder)]


def run_testbenches(projects: list[NodeProject], folder: Path, flags: list[str]) -> str:
    """Compile all top functions with their testbenches into one program and run it where the
    golden vectors are; returns what it printed. Fails the test if a testbench does."""
    text = [f'#include "{project.kernel.header.name}"' for project in projects]
    for index, project in enumerate(projects):
        text.append(f"#define main testbench_{index}")
        text += [f'#include "{project.name}.cpp"', f'#include "{project.name}_tb.cpp"']
        text.append("#undef main")
    calls = " | ".join(f"testbench_{i}()" for i in range(len(projects)))
    text.append(f"int main() {{ return {calls}; }}")
    work = folder / "run"
    work.mkdir(exist_ok=True)
    (work / "all.cpp").write_text("\n".join(text) + "\n")
    for project in projects:
        for file in (folder / "nodes" / project.name).glob("*.dat"):
            (work / file.name).write_bytes(file.read_bytes())
    includes = [f"-I{folder / 'library'}", *(f"-I{folder / 'nodes' / p.name}" for p in projects)]
    command = [compiler(), "-std=c++14", "-O0", "-w", *flags, *includes, "all.cpp", "-o", "all"]
    done = subprocess.run(command, cwd=work, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[:2000]
    ran = subprocess.run(["./all"], cwd=work, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout
    return ran.stdout
