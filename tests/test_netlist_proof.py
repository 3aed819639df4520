# SPDX-License-Identifier: Apache-2.0
"""The synthesised netlist of a whole accelerator, linked and with its contents, simulated with the
Xilinx cell models: it equals the dataflow graph, as the RTL does."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from benchmarks.networks import MlpSpec, mlp
from qnnc.backends.bitstream.netlist import link_accelerator, memory_contents, patch
from qnnc.backends.bitstream.netlist.for_nextpnr import adapt
from qnnc.backends.design import Design, updatable
from qnnc.backends.rtl.stitch import stitch
from qnnc.backends.simulation import verilator
from qnnc.backends.simulation.compiler import Compilation
from qnnc.backends.simulation.simulate import Pressure, simulate
from qnnc.backends.synthesis import synthesize
from qnnc.backends.yosys import run_script, share_folder
from qnnc.compiler.dataflow.stream_graph import stream_graph
from qnnc.compiler.reference import BatchRunner
from qnnc.compiler.samples import read_array
from tests.conftest import shared_file
from tests.support.build import compile_proto

FRAMES = 16


def ram_model() -> str:
    """The model of block RAM with its 72 contents parameters."""
    text = (Path(__file__).parent / "support" / "ramb18.sv").read_text()
    names = {"DATA": [f"INIT_{i:02X}" for i in range(64)],
             "PARITY": [f"INITP_{i:02X}" for i in range(8)]}  # fmt: skip
    every = [*names["DATA"], *names["PARITY"]]
    text = text.replace(
        "PARAMETERS", ",\n".join(f"    parameter [255:0] {n} = 256'd0" for n in every)
    )
    for key, group in names.items():
        text = text.replace("{" + key + "}", "{" + ", ".join(reversed(group)) + "}")
    return text


def netlist_design(
    design: Design, folder: Path, cache: Path, for_nextpnr: bool
) -> tuple[Design, Path]:
    """The same accelerator as a netlist: a design without taps, and its folder of sources."""
    path = link_accelerator(design, synthesize(design, cache, 2), cache)
    netlist = json.loads(path.read_text())
    contents = memory_contents(design)
    if for_nextpnr:
        adapt(netlist, design.top, contents)
    patch(netlist, design.top, contents)
    (folder / "netlist.json").write_text(json.dumps(netlist))
    rtl = folder / "rtl"
    rtl.mkdir()
    # braces in escaped names make Verilator 5.006 lose count of its indentation
    run_script(
        ["read_json netlist.json", "rename -hide w:* c:*", "write_verilog -noattr rtl/netlist.sv"],
        folder, folder / "yosys.log", "writing the netlist",
    )  # fmt: skip
    cells = (share_folder() / "xilinx" / "cells_sim.v").read_text()
    cells = re.sub(r"(?s)\n\s*specify\b.*?endspecify", "", cells)
    cells = re.sub(r"(?s)\nmodule RAMB18E1\b.*?endmodule", "\n", cells)
    (rtl / "cells.sv").write_text(cells)
    (rtl / "ramb18.sv").write_text(ram_model())
    text = "".join(source.read_text() for source in sorted(rtl.glob("*.sv")))
    return replace(design, wires=(), top_text=text), rtl


def check(
    design: Design,
    tensors: dict[str, NDArray[Any]],
    folder: Path,
    cache: Path,
    *,
    for_nextpnr: bool,
) -> None:
    flat, rtl = netlist_design(design, folder, cache, for_nextpnr)
    (folder / "work").mkdir()
    program = verilator.build(flat, rtl, Compilation(folder / "work", cache, 2, short=True))
    for pressure in (Pressure(), Pressure(70, 60, 3)):
        result = simulate(flat, program, rtl, "verilator", tensors, pressure)
        assert result.frames == FRAMES
        assert result.mismatches == 0
        assert all(stream.elements > 0 for stream in result.streams)


def integers(model: Any, inputs: dict[str, NDArray[np.float32]]) -> dict[str, NDArray[Any]]:
    values = list(dict.fromkeys(edge.value for edge in stream_graph(model).edges))
    return BatchRunner(model, values).run(inputs)


@pytest.fixture(autouse=True)
def _verilator() -> None:
    if not verilator.installed():
        pytest.skip("verilator is not installed")


@pytest.mark.parametrize("kept", [False, True], ids=["in-logic", "updatable"])
def test_small_network(tmp_path: Path, cache: Path, kept: bool) -> None:
    proto = mlp(MlpSpec((48, 24, 6), 2, 2, "relu", 2, seed=2))
    model, _, _ = compile_proto(proto, fold=True, fps=500_000.0, top_k=1)
    design = updatable(stitch(model)) if kept else stitch(model)
    x = np.random.default_rng(0).normal(size=(FRAMES, 48)).astype(np.float32)
    check(design, integers(model, {"x": x}), tmp_path, cache, for_nextpnr=True)


def test_the_example_on_16_images(tmp_path: Path, example: Path, cache: Path) -> None:
    images = read_array(shared_file("data/mnist/t10k-images-idx3-ubyte.gz"))[:FRAMES]
    model, _, _ = compile_proto(
        onnx.load(example / "tfc_w2a2.onnx"), fold=True, fps=100_000.0, top_k=1,
        input_type="uint8", input_scale="1/255",
    )  # fmt: skip
    name = str(model.graph.inputs[0].name)
    x = images.reshape(FRAMES, 1, 28, 28).astype(np.float32)
    check(stitch(model), integers(model, {name: x}), tmp_path, cache, for_nextpnr=False)
