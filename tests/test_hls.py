# SPDX-License-Identifier: Apache-2.0
"""HLS top functions with g++, natively and with the genuine ap_int; their Tcl; the stitched top.

That the emulator gives what the reference and the RTL give is in test_nodes.py.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qnnc.backends.finn.export import partition_of
from qnnc.backends.hls.kernel import hex_word
from qnnc.backends.hls.project.write import node_projects, write_project
from qnnc.backends.rtl.stitch import stitch
from qnnc.compiler.dataflow.stream_graph import stream_graph
from qnnc.compiler.datatypes import datatype
from qnnc.compiler.errors import ModelError, OptionError
from qnnc.compiler.passes.choose_backend import ChooseBackend, parse
from qnnc.nodes.mvau.cases import TYPES, WEIGHTS
from qnnc.nodes.testing import Case
from tests.support import nodes
from tests.support.build import compile_with_verifier
from tests.support.emulator import ap_int_flags, hls_project, run_emulator, run_testbenches
from tests.support.node_strategies import ANY, mvaus, thresholdings
from tests.support.rtl import reference
from tests.test_cnn import SMALL
from tests.test_nodes import BATCHES


def few_of_each() -> list[Case]:
    """One node of each kind and scheme, odd widths, one lane and all lanes."""
    rng = np.random.default_rng(11)
    return [
        nodes.mvau(rng, mw=12, mh=6, x="INT3", w="INT5", pe=3, simd=4),
        nodes.mvau(rng, mw=15, mh=4, x="TERNARY", w="BIPOLAR", pe=1, simd=1, vectors=2),
        nodes.mvau(rng, mw=70, mh=2, x="BINARY", w="BINARY", pe=2, simd=70),
        nodes.mvau(rng, mw=10, mh=4, x="TERNARY", w="TERNARY", pe=2, simd=5),
        nodes.mvau(rng, mw=8, mh=2, x="UINT8", w="INT8", pe=1, simd=4, res="dsp"),
        nodes.thresholding(rng, channels=6, steps=3, x="INT9", pe=2, base=-1, vectors=2),
        nodes.thresholding(rng, channels=4, steps=15, x="INT6", pe=4, shared=True),
        nodes.thresholding(rng, channels=6, steps=4, x="INT8", pe=2, values=True),
        nodes.width_converter(elements=30, kind="INT5", lanes_in=6, lanes_out=10),
        nodes.fifo(elements=30, kind="TERNARY", lanes=3, depth=4, ram="distributed"),
        nodes.label_select(labels=10, k=3, kind="INT7"),
        nodes.elementwise(rng, op="Add", channels=4, x="INT8", c="INT6", pe=2, shared=False),
        nodes.elementwise(rng, op="Mul", channels=4, x="UINT4", c="INT12", pe=4, shared=True),
        nodes.tail(rng, channels=6, steps=30, x="INT12", pe=3, style="requant", base=3),
        nodes.tail(
            rng, channels=24, steps=31, x="INT11", pe=6, style="factored", function="tanh",
            exceptions=8,
        ),
        nodes.windows(image=(7, 5), kernel=(3, 2), stride=(2, 1), channels=4, simd=2, kind="INT5"),
        nodes.windows(image=(6, 7), kernel=(2, 3), dilation=(3, 2), channels=1, kind="BINARY"),
        nodes.windows(image=(1, 9), kernel=(1, 2), stride=(1, 4), channels=3, simd=3),
        nodes.padding(image=(4, 5), pads=(0, 2, 1, 0), channels=4, simd=2, kind="INT4", value=-3),
        nodes.spread(image=(3, 4), stride=(2, 3), channels=2, kind="TERNARY"),
        nodes.pool(out=(2, 3), kernel=(2, 2), channels=4, pe=2, kind="INT3"),
        nodes.pool(out=(2, 2), kernel=(2, 1), channels=6, pe=6, kind="BINARY"),
        nodes.pool(out=(2, 2), kernel=(2, 2), channels=4, pe=1, function="AccPool"),
        nodes.total(image=(4, 3), channels=6, pe=2, kind="INT8"),
        nodes.vvau(rng, out=(2, 2), kernel=(3, 3), channels=4, x="INT3", w="INT5", pe=2),
        nodes.vvau(rng, out=(2, 2), kernel=(2, 2), channels=6, x="INT2", w="BIPOLAR", pe=3),
        nodes.vvau(rng, out=(1, 2), kernel=(3, 1), channels=8, x="BINARY", w="BINARY", pe=8),
        nodes.duplicate(vectors=(1, 2, 3), channels=4, copies=3, pe=2),
        nodes.concat(vectors=(1, 3), channels=(3, 1, 2), kinds=("UINT2", "INT5", "BINARY")),
        nodes.split(vectors=(1, 3), channels=(2, 4, 6), kind="INT5", simd=2, unused=(1,)),
        nodes.join(op="Add", vectors=(1, 3), channels=2, kinds=("UINT2", "INT9"), pe=1),
        nodes.join(op="Mul", vectors=(1, 2), channels=4, kinds=("INT3", "INT5"), pe=4),
        nodes.upsample(image=(2, 3), factors=(3, 2), channels=4, simd=2, kind="INT5"),
        nodes.shuffle(apart=(1, 3, 4, 5), perm=(0, 3, 1, 2)),
        nodes.shuffle(apart=(1, 4, 3, 6), perm=(0, 2, 1, 3), simd=3),
    ]  # fmt: skip


def check_top_functions(specs: list[Case], folder: Path, flags: list[str]) -> None:
    model = nodes.model_of(specs)
    tensors = reference(model, nodes.random_inputs(specs, frames=2))
    projects = hls_project(model, tensors, folder)
    printed = run_testbenches(projects, folder, flags)
    assert printed.count("2 frames, 0 differences") == len(specs)


@pytest.mark.parametrize("batch", BATCHES)
def test_top_functions_with_native_integers(batch: str, tmp_path: Path) -> None:
    """The very files that Vitis HLS gets, at the folding of the hardware."""
    check_top_functions(BATCHES[batch], tmp_path, [])


def test_top_functions_with_genuine_ap_int(tmp_path: Path) -> None:
    check_top_functions(few_of_each(), tmp_path, ap_int_flags())


def test_a_network_as_folded(tmp_path: Path) -> None:
    """Every node of a network with branches, FIFOs and width converters, as Vitis HLS gets it."""
    model, verifier = compile_with_verifier(SMALL["unet"](), samples=2, fps=1000)
    streams = list(dict.fromkeys(edge.value for edge in stream_graph(model).edges))
    _, tensors = verifier.check_and_keep(model, streams, 2)
    projects = hls_project(model, tensors, tmp_path)
    assert {"StreamingFIFO", "StreamingConcat"} <= {project.node.op_type for project in projects}
    printed = run_testbenches(projects, tmp_path, [])
    assert printed.count("2 frames, 0 differences") == len(projects)


def test_empty_optional_inputs(cache: Path, tmp_path: Path) -> None:
    """An input that ONNX leaves out by an empty name is one that is not there."""
    rng = np.random.default_rng(4)
    specs = [
        nodes.thresholding(rng, channels=6, steps=3, x="INT9", pe=2, base=-1),
        nodes.tail(rng, channels=6, steps=30, x="INT12", pe=3, style="requant"),
    ]
    model = nodes.model_of(specs)
    for node in model.graph:
        node.resize_inputs(3)
    tensors = reference(model, nodes.random_inputs(specs, frames=3))
    compared = run_emulator(model, tensors, cache)
    assert compared.mismatches == 0, compared.detail
    projects = hls_project(model, tensors, tmp_path)
    assert run_testbenches(projects, tmp_path, []).count(" 0 differences") == len(specs)
    assert [len(node.input) for node in partition_of(model).model.graph.node] == [2, 2]


def test_testbench_finds_a_difference(tmp_path: Path) -> None:
    """A golden vector that is wrong must fail the testbench."""
    specs = few_of_each()[:1]
    model = nodes.model_of(specs)
    tensors = reference(model, nodes.random_inputs(specs, frames=2))
    tensors["y0_0"] = tensors["y0_0"] + (np.arange(tensors["y0_0"].size) == 3).reshape(
        tensors["y0_0"].shape
    )
    projects = hls_project(model, tensors, tmp_path)
    with pytest.raises(AssertionError, match="1 differences"):
        run_testbenches(projects, tmp_path, [])


def test_largest_sizes(cache: Path) -> None:
    rng = np.random.default_rng(5)
    specs = [
        nodes.mvau(rng, mw=4096, mh=64, x="BINARY", w="BINARY", pe=8, simd=64),
        nodes.mvau(rng, mw=2048, mh=8, x="UINT8", w="INT8", pe=1, simd=1),
        nodes.mvau(rng, mw=256, mh=4, x="INT16", w="INT8", pe=1, simd=1),
        nodes.thresholding(rng, channels=1024, steps=3, x="INT14", pe=1),
        nodes.thresholding(rng, channels=32, steps=255, x="INT24", pe=1),
        nodes.label_select(labels=256, k=5, kind="INT20"),
        nodes.tail(rng, channels=512, steps=255, x="INT24", style="requant", res="dsp"),
        nodes.windows(image=(112, 112), kernel=(3, 3), channels=32, kind="UINT4", simd=4),
        nodes.windows(image=(64, 64), kernel=(7, 7), stride=(2, 2), channels=3, kind="UINT8"),
        nodes.padding(image=(224, 224), pads=(3, 3, 3, 3), channels=3, kind="UINT8"),
        nodes.pool(out=(1, 1), kernel=(64, 64), channels=16, kind="UINT8", function="AccPool"),
        nodes.vvau(rng, out=(28, 28), kernel=(5, 5), channels=64, x="UINT8", w="INT8", pe=8),
        nodes.shuffle(apart=(1, 64, 64, 16), perm=(0, 3, 1, 2), kind="UINT8"),
        nodes.upsample(image=(64, 64), factors=(2, 2), channels=16, kind="BINARY"),
        nodes.concat(vectors=(1, 64, 64), channels=(64, 128), kinds=("UINT4", "UINT8")),
    ]
    model = nodes.model_of(specs)
    tensors = reference(model, nodes.random_inputs(specs, frames=4))
    compared = run_emulator(model, tensors, cache, threads=2)
    assert compared.mismatches == 0, compared.detail
    assert compared.frames == 4


@settings(max_examples=2, deadline=None, suppress_health_check=list(HealthCheck))
@given(specs=st.lists(st.one_of(mvaus(), thresholdings(), ANY), min_size=12, max_size=14))
def test_random_nodes_as_folded_and_in_the_emulator(
    specs: list[Case], cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    model = nodes.model_of(specs)
    tensors = reference(model, nodes.random_inputs(specs, frames=3))
    compared = run_emulator(model, tensors, cache)
    assert compared.mismatches == 0, compared.detail
    folder = tmp_path_factory.mktemp("hls")
    projects = hls_project(model, tensors, folder)
    assert run_testbenches(projects, folder, []).count(" 0 differences") == len(specs)


def test_every_pair_of_types_in_the_emulator(cache: Path) -> None:
    rng = np.random.default_rng(8)
    specs = [
        nodes.mvau(rng, mw=67, mh=2, x=x, w=w, pe=1, simd=1, vectors=1 + i % 2)
        for i, (x, w) in enumerate((x, w) for x in TYPES for w in WEIGHTS[1::2])
    ]
    model = nodes.model_of(specs)
    tensors = reference(model, nodes.random_inputs(specs, frames=3))
    compared = run_emulator(model, tensors, cache)
    assert compared.mismatches == 0, compared.detail


def test_hex_word_puts_element_0_low() -> None:
    assert hex_word([1, -2, 3], datatype("INT3")) == f"{0b011_110_001:x}"
    assert hex_word([-1, 1, 1], datatype("BIPOLAR")) == "6"


# --- the project ----------------------------------------------------------------------------

STUBS = """
set log [open $::env(QNNC_LOG) w]
foreach name {open_project open_solution close_project set_part create_clock set_top add_files
              csim_design csynth_design cosim_design export_design create_project set_property
              current_project update_ip_catalog create_ip current_fileset update_compile_order
              generate_target get_ips ipx::package_project ipx::current_core
              ipx::create_xgui_files ipx::update_checksums ipx::save_core} {
    namespace eval ipx {}
    proc $name args "puts \\$::log \\[concat $name \\$args\\]"
}
rename exit leave
proc exit args { close $::log; leave {*}$args }
"""


def run_in_tclsh(script: Path, stubs: str, env: dict[str, str]) -> tuple[int, list[str], str]:
    """Run a script with recorded stubs; exit code, recorded commands, errors."""
    tclsh = shutil.which("tclsh")
    if tclsh is None:
        pytest.skip("tclsh is not installed")
    log = script.parent / "commands.log"
    wrapper = script.parent / "wrapper.tcl"
    wrapper.write_text(f"{stubs}\ninfo script {{{script}}}\nsource {{{script}}}\n")
    done = subprocess.run(
        [tclsh, str(wrapper)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **env, "QNNC_LOG": str(log)},
        cwd=script.parent,
    )
    return done.returncode, log.read_text().splitlines(), done.stderr


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Two nodes of three in HLS, with the accelerator around them."""
    rng = np.random.default_rng(2)
    specs = [
        nodes.mvau(rng, mw=8, mh=4, x="INT3", w="INT5", pe=2, simd=4),
        nodes.thresholding(rng, channels=6, steps=3, x="INT9", pe=2),
        nodes.label_select(labels=10, k=1, kind="INT7"),
    ]
    model = nodes.model_of(specs)
    tensors = reference(model, nodes.random_inputs(specs, frames=2))
    design = stitch(model)
    names = [instance.name for instance in design.instances]
    projects = node_projects(stream_graph(model), names, tensors, [0, 2])
    folder = tmp_path / "hls"
    write_project(folder, projects, design, "xc7z020clg400-1", 100)
    return folder


def test_tcl_makes_every_node(project: Path) -> None:
    code, commands, errors = run_in_tclsh(project / "run.tcl", STUBS, {})
    assert code == 0, errors
    assert [c for c in commands if c.startswith("set_top")] == [
        "set_top hls_mvau_0",
        "set_top hls_label_select_0",
    ]
    assert commands.count("csynth_design") == commands.count("csim_design") == 2
    files = [Path(c.split()[-1]) for c in commands if c.startswith("add_files")]
    assert files and all(file.is_file() for file in files)
    exported = [c for c in commands if c.startswith("export_design")]
    assert all(part in exported[0] for part in ("-ipname hls_mvau_0", "mvau_0.zip", "-vendor qnnc"))
    assert "create_clock -period 10.000 -name default" in commands


def test_tcl_of_the_unified_vitis_and_of_one_node(project: Path) -> None:
    unified = STUBS.replace(
        "open_project open_solution close_project", "open_component close_component"
    )
    env = {"QNNC_NODES": "label_select_0", "QNNC_COSIM": "1"}
    code, commands, errors = run_in_tclsh(project / "run.tcl", unified, env)
    assert code == 0, errors
    assert commands[0] == "open_component -reset label_select_0 -flow_target vivado"
    assert commands[-1] == "close_component"
    assert sum(c.startswith("cosim_design") for c in commands) == 1
    assert not any("mvau" in c for c in commands if c.startswith("set_top"))


def test_stitching_tcl_wants_the_nodes_first(project: Path) -> None:
    code, _, errors = run_in_tclsh(project / "stitch.tcl", STUBS, {})
    assert code != 0 and "run run.tcl in Vitis HLS first" in errors
    for name in ("mvau_0", "label_select_0"):
        (project / "build" / f"{name}.zip").parent.mkdir(exist_ok=True)
        (project / "build" / f"{name}.zip").touch()
    code, commands, errors = run_in_tclsh(project / "stitch.tcl", STUBS, {})
    assert code == 0, errors
    assert "create_ip -vlnv qnnc:hls:hls_mvau_0:1.0 -module_name hls_mvau_0_ip" in commands
    sources = next(c for c in commands if c.startswith("add_files"))
    assert "hls_mvau_0_wrapper.sv" in sources and "qnnc_accelerator.sv" in sources


def test_only_hls_nodes_are_replaced_in_the_top(project: Path) -> None:
    top = (project / "rtl" / "qnnc_accelerator.sv").read_text()
    assert "hls_mvau_0_wrapper mvau_0 (" in top
    assert "hls_label_select_0_wrapper label_select_0 (" in top
    assert "hls_thresholding" not in top
    names = {file.name for file in (project / "rtl").glob("*.sv")}
    assert any(name.startswith("thresholding_") for name in names)
    assert not any(name.startswith("mvau_") for name in names)
    assert not any("mvau" in file.name for file in (project / "rtl").glob("*.mem"))


def test_stitched_top_is_sound(project: Path) -> None:
    """Verilator elaborates the top, wrappers and RTL nodes, around empty IPs."""
    verilator = shutil.which("verilator")
    if verilator is None:
        pytest.skip("Verilator is not installed")
    stubs = """
module hls_mvau_0_ip (input ap_clk, input ap_rst_n, input [15:0] in0_TDATA, input in0_TVALID,
  output in0_TREADY, output [23:0] out0_TDATA, output out0_TVALID, input out0_TREADY);
endmodule
module hls_label_select_0_ip (input ap_clk, input ap_rst_n, input [7:0] in0_TDATA,
  input in0_TVALID, output in0_TREADY, output [7:0] out0_TDATA, output out0_TVALID,
  input out0_TREADY);
endmodule
"""
    rtl = project / "rtl"
    (rtl / "ips.sv").write_text(stubs)
    done = subprocess.run(
        [
            verilator,
            *("--lint-only", "-Wno-fatal", "-Wall", "--top-module", "qnnc_accelerator"),
            *sorted(file.name for file in rtl.glob("*.sv")),
        ],
        cwd=rtl,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "PINMISSING" not in done.stderr and "PINNOTFOUND" not in done.stderr
    assert "WIDTH" not in done.stderr, done.stderr


# --- the choice of backend --------------------------------------------------------------------


def test_choice_of_backend() -> None:
    assert parse("hls") == ("hls", {})
    assert parse("rtl,MVAU=hls, fc=1=auto") == ("rtl", {"MVAU": "hls", "fc=1": "auto"})
    for wrong in ("", "vhdl", "rtl,MVAU", "=hls", "MVAU=c"):
        with pytest.raises(OptionError, match="--backend takes"):
            parse(wrong)
    rng = np.random.default_rng(0)
    specs = [
        nodes.mvau(rng, mw=4, mh=4, x="INT3", w="INT5", pe=2, simd=4),
        nodes.label_select(labels=10, k=1, kind="INT7"),
    ]

    def styles(choice: str) -> list[str]:
        model = nodes.model_of(specs)
        ChooseBackend(choice)(model)
        return [node.made_by for node in stream_graph(model).nodes]

    assert styles("rtl") == styles("auto") == ["rtl", "rtl"]
    assert styles("hls") == ["hls", "hls"]
    assert styles("rtl,LabelSelect=hls") == ["rtl", "hls"]
    assert styles("hls,MVAU_0=rtl") == ["rtl", "hls"]
    with pytest.raises(OptionError, match="'Conv'"):
        styles("rtl,Conv=hls")
    model = nodes.model_of(specs)
    next(iter(model.graph)).op_type = "Unheard"
    with pytest.raises(ModelError, match="has no Unheard"):
        ChooseBackend("hls")(model)
