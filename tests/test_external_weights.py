# SPDX-License-Identifier: Apache-2.0
"""External weights: the unit, whole networks, and when the optimiser chooses it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from benchmarks.cnn_networks import resnet
from benchmarks.networks import mlp, tanh_mlp
from qnnc.backends.bitstream.netlist import link_shell
from qnnc.backends.bitstream.shell.shell import TOP, memory_places, shell_over
from qnnc.backends.bitstream.simulated.board import Bus
from qnnc.backends.bitstream.simulated.run import run_on_board
from qnnc.backends.bitstream.stages.driver import make_build_shell
from qnnc.backends.rtl.ip.component import SPIRIT
from qnnc.backends.rtl.resimulate import remake
from qnnc.backends.rtl.stitch import stitch
from qnnc.backends.simulation.simulate import Pressure
from qnnc.backends.synthesis import synthesize
from qnnc.compiler.api import build
from qnnc.compiler.board import Board, find_board
from qnnc.compiler.dataflow import Folding
from qnnc.compiler.dataflow.memory_traffic import traffic
from qnnc.compiler.dataflow.stream_graph import stream_graph
from qnnc.compiler.errors import OptionError, TargetError
from qnnc.compiler.folding.goal import Goal, choose
from qnnc.compiler.memory_ports import MemoryPorts, assign
from qnnc.compiler.passes.set_folding import SetFolding
from qnnc.compiler.resources import Resources
from qnnc.nodes.mvau.node import MVAU
from tests.support import nodes
from tests.support.rtl import reference, run_rtl

DEVICE = Resources(53200, 106400, 280, 220)
PRESSURES = [Pressure(), Pressure(60, 40, 3), Pressure(20, 90, 4)]
UNITS: dict[int, list[dict[str, Any]]] = {
    4: [{"mw": 24, "mh": 12, "x": "INT4", "w": "INT4", "pe": 3, "simd": 6}],
    5: [
        {"mw": 16, "mh": 8, "x": "BINARY", "w": "BINARY", "pe": 8, "simd": 4},
        {"mw": 12, "mh": 6, "x": "UINT3", "w": "BIPOLAR", "pe": 2, "simd": 12},
    ],
    18: [
        {"mw": 20, "mh": 10, "x": "INT2", "w": "INT2", "pe": 5, "simd": 4},
        {"mw": 32, "mh": 12, "x": "INT8", "w": "INT8", "pe": 4, "simd": 8, "res": "dsp"},
        {"mw": 16, "mh": 6, "x": "INT8", "w": "INT8", "pe": 3, "simd": 1, "res": "dsp"},
    ],
    32: [{"mw": 18, "mh": 4, "x": "INT5", "w": "INT3", "pe": 1, "simd": 3}],
}
"""Units by batch."""


def unit(rng: np.random.Generator, *, reuse: int, **arguments: Any) -> nodes.Case:
    """An MVAU with external weights."""
    return nodes.mvau(rng, **arguments).folded(mem_mode="external", reuse=reuse)


@pytest.mark.parametrize("batch", UNITS)
def test_units_are_exact_under_back_pressure(batch: int, cache: Path) -> None:
    """Two whole batches and a part of one, weight words coming late too."""
    rng = np.random.default_rng(1)
    styles = ("block", "distributed")
    specs = [
        unit(rng, reuse=batch, ram_style=styles[(batch + i) % 2], **arguments)
        for i, arguments in enumerate(UNITS[batch])
    ]
    model = nodes.model_of(specs)
    tensors = reference(model, nodes.random_inputs(specs, frames=2 * batch + 1))
    for pressure in PRESSURES:
        result = run_rtl(model, tensors, cache, pressure=pressure)
        assert result.mismatches == 0
        assert result.frames == 3 * batch


def test_the_interval_is_that_of_the_model(cache: Path) -> None:
    rng = np.random.default_rng(2)
    spec = unit(rng, mw=64, mh=32, x="INT3", w="INT3", pe=4, simd=8, reuse=16)
    model = nodes.model_of([spec])
    (node,) = stream_graph(model).nodes
    assert node.cycles(node.folding()) == 64
    tensors = reference(model, nodes.random_inputs([spec], frames=8 * 16))
    assert run_rtl(model, tensors, cache).ii_cycles == pytest.approx(64, rel=0.02)


POSITIONS: list[dict[str, Any]] = [
    {"reuse": 1, "vectors": 3, "mw": 24, "mh": 12, "x": "INT4", "w": "INT4", "pe": 2, "simd": 6},
    {"reuse": 1, "vectors": 1, "mw": 12, "mh": 6, "x": "INT8", "w": "INT8", "pe": 6, "simd": 1},
    {"reuse": 1, "vectors": 2, "mw": 8, "mh": 6, "x": "UINT3", "w": "INT3", "pe": 2, "simd": 8},
    {"reuse": 1, "vectors": 5, "mw": 10, "mh": 3, "x": "INT3", "w": "INT3", "pe": 3, "simd": 2},
    {"reuse": 4, "vectors": 12, "mw": 24, "mh": 8, "x": "INT4", "w": "INT4", "pe": 2, "simd": 6},
    {"reuse": 5, "vectors": 5, "mw": 16, "mh": 8, "x": "BINARY", "w": "BINARY", "pe": 8, "simd": 4},
    {"reuse": 7, "vectors": 49, "mw": 8, "mh": 6, "x": "INT8", "w": "INT8", "pe": 3, "simd": 4},
]
"""Units of one vector a weight word, and of several positions of a frame."""


def test_positions_share_weights_without_holding_frames(cache: Path) -> None:
    """Three frames, weight words coming late too; frames leave one by one."""
    rng = np.random.default_rng(11)
    specs = [
        unit(rng, res="dsp" if arguments["x"] == "INT8" else "lut", **arguments)
        for arguments in POSITIONS
    ]
    model = nodes.model_of(specs)
    design = stitch(model)
    assert design.batch == 1
    assert [port.rounds for port in design.weights] == [
        arguments["vectors"] // arguments["reuse"] for arguments in POSITIONS
    ]
    tensors = reference(model, nodes.random_inputs(specs, frames=3))
    for pressure in PRESSURES:
        result = run_rtl(model, tensors, cache, pressure=pressure)
        assert result.mismatches == 0 and result.frames == 3


@pytest.mark.parametrize("reuse", [1, 8])
def test_the_interval_of_positions_is_that_of_the_model(reuse: int, cache: Path) -> None:
    rng = np.random.default_rng(12)
    spec = unit(rng, mw=32, mh=8, x="INT3", w="INT3", pe=2, simd=4, vectors=16, reuse=reuse)
    model = nodes.model_of([spec])
    (node,) = stream_graph(model).nodes
    assert node.cycles(node.folding()) == 512
    assert node.weight_bytes(node.folding()) == 32 * 4 * 16 / reuse
    tensors = reference(model, nodes.random_inputs([spec], frames=8))
    assert run_rtl(model, tensors, cache).ii_cycles == pytest.approx(512, rel=0.02)


def test_the_stream_has_every_weight_once() -> None:
    rng = np.random.default_rng(3)
    spec = unit(rng, mw=24, mh=12, x="INT4", w="INT5", pe=2, simd=4, reuse=8)
    design = stitch(nodes.model_of([spec]))
    (port,) = design.weights
    node = design.instances[0].node
    assert isinstance(node, MVAU)
    assert port.bytes == 8 and design.batch == 8
    assert node.weight_bytes(node.folding()) == port.words.size / 8
    bits = np.unpackbits(port.words.reshape(36, -1), axis=1, bitorder="little")[:, : 2 * 4 * 5]
    planes = bits.reshape(6, 6, 2, 5, 4).astype(np.int64)  # [NF, SF, PE, bit, SIMD]
    values = (planes * (1 << np.arange(5))[:, None]).sum(axis=3)
    values -= (values >= 16) * 32
    found = values.transpose(1, 3, 0, 2).reshape(24, 12)
    assert np.array_equal(found, spec.constants[0])


def test_it_is_chosen_only_where_the_chip_is_too_small() -> None:
    rng = np.random.default_rng(4)
    spec = nodes.mvau(rng, mw=256, mh=256, x="INT4", w="INT4", pe=1, simd=1)
    model = nodes.model_of([spec])
    node = stream_graph(model).nodes[0]
    assert node.offer_external(16)
    graph = stream_graph(model)

    def chosen(bram: int, bytes_per_cycle: float = 6, fps: float | None = 10_000.0) -> Any:
        budget = Resources(3000, DEVICE.FF, bram, 0)
        memory = MemoryPorts(1, bytes_per_cycle, bytes_per_cycle)
        goal = Goal(DEVICE, budget, 100.0, fps=fps, memory=memory)
        return choose(graph, goal).options[0]

    assert chosen(64, bytes_per_cycle=0.3).folding.mem_mode == "internal_decoupled"
    small = chosen(12)
    assert small.folding.mem_mode == "external" and small.memory_bytes == 256 * 256 / 2 / 16
    with pytest.raises(TargetError):
        chosen(12, bytes_per_cycle=0.1)
    slow = chosen(12, bytes_per_cycle=0.1, fps=None)
    assert slow.memory_bytes + 128 <= 0.1 * 256 * 256


def test_the_board_says_what_its_memory_gives() -> None:
    board = find_board("Pynq-Z1")
    assert board.bytes_per_cycle(100.0) == pytest.approx(0.75 * 8)  # the port
    assert board.bytes_per_cycle(300.0) * 300 == pytest.approx(0.75 * 1050 * 2, rel=1e-3)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network whose middle layer has too many weights for a tenth of the chip."""
    import onnx

    path = tmp_path_factory.mktemp("model") / "mlp.onnx"
    onnx.save(mlp(tanh_mlp(4, 4, (64, 256, 256, 10))), path)
    return path


def test_a_network_is_exact_and_its_memory_is_reported(
    network: Path, tmp_path: Path, cache: Path
) -> None:
    report = build(
        network, out=tmp_path / "out", batch=8, budget=0.05, until="ip", frames=4, cache=cache
    )
    assert report.verification.mismatches == 0
    assert {level.level for level in report.verification.levels} >= {"dataflow", "rtl"}
    performance = report.performance
    assert performance is not None and performance.batch == 8
    outside = [layer for layer in report.layers if layer.weights == "external"]
    assert outside and all(layer.memory_bytes > 0 for layer in outside)
    assert performance.memory_bytes == sum(layer.memory_bytes for layer in outside)
    streams = [s for s in report.streams if s.name.startswith("s_axis_weights")]
    assert len(streams) == len(outside)
    sizes = [s.words_per_batch * s.tdata_bits / 8 for s in streams if s.words_per_batch]
    assert sum(sizes) == 8 * performance.memory_bytes
    xml = ElementTree.parse(tmp_path / "out" / "ip" / "component.xml")
    names = {e.text for e in xml.iter(f"{{{SPIRIT}}}name")}
    assert {s.name for s in streams} <= names


def test_what_does_not_fit_is_told_of_the_batch(network: Path, tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="--batch 16"):
        build(network, out=tmp_path / "out", budget=0.05, until="estimate", verify="none")


@pytest.mark.parametrize("batch", [0, 2, 3, 33])
def test_batches_that_cannot_be(network: Path, tmp_path: Path, batch: int) -> None:
    with pytest.raises(OptionError, match="4 to 32"):
        build(network, out=tmp_path / "out", batch=batch)


def test_the_driver_brings_the_weights_to_the_board(
    network: Path, tmp_path: Path, cache: Path
) -> None:
    """Twenty frames, no multiple of the batch, in two runs; memory slow and answers late."""
    out = tmp_path / "out"
    build(network, out=out, batch=8, budget=0.05, until="rtl", verify="none", cache=cache)
    result = run_on_board(out, count=20, bus=Bus(seed=3, latency=(3, 50), percent=80))
    assert result.mismatches == 0 and result.frames == 20
    assert any(name.startswith("s_axis_weights") for name in result.stalls)


def test_weights_come_over_two_ports(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Model and shell put the two streams on ports of their own; memory is slow, and shared."""
    import onnx

    path, out = tmp_path / "mlp.onnx", tmp_path / "out"
    onnx.save(mlp(tanh_mlp(4, 4, (64, 256, 256, 256, 10))), path)
    monkeypatch.setattr(Board, "memory", lambda self, clock: MemoryPorts(4, 2.5, 6.0))
    report = build(path, out=out, batch=8, budget=0.05, until="rtl", verify="none", cache=cache)
    performance = report.performance
    assert performance is not None and performance.memory_ports == 2
    shell = make_build_shell(remake(out, tmp_path / "again"))
    assert [(port.name, port.readers) for port in shell.ports] == [("HP0", 2), ("HP2", 1)]
    places = {s.name: s.port_index for s in shell.inputs if s.is_weights}
    assert sorted(places.values()) == [0, 1]
    read = [sum(s.frame_bytes for s in shell.inputs if s.port_index == i) for i in (0, 1)]
    assert performance.memory_cycles == pytest.approx(max(read) / 8 / 2.5, abs=0.01)
    result = run_on_board(out, count=20, bus=Bus(seed=3, latency=(3, 50), percent=80, rate=6.0))
    assert result.mismatches == 0 and result.frames == 20


def test_model_and_shell_agree_on_the_ports() -> None:
    rng = np.random.default_rng(5)
    shapes = [(24, 12, 3, 6), (20, 10, 5, 4), (18, 4, 1, 3), (32, 12, 4, 8), (16, 8, 8, 4)]
    specs = [
        unit(rng, mw=mw, mh=mh, x="INT4", w="INT5", pe=pe, simd=simd, reuse=5)
        for mw, mh, pe, simd in shapes
    ]
    model = nodes.model_of(specs)
    design, graph = stitch(model), stream_graph(model)
    used = set()
    for rate in (0.5, 2.0, 4.0, 9.0, 30.0):
        memory = MemoryPorts(4, rate, 3 * rate)
        places = memory_places(design, memory)
        assert places == assign(traffic(graph), memory).ports
        used.add(max(places) + 1)
    assert len(used) > 1


def test_the_linked_netlist_reaches_two_ports(cache: Path) -> None:
    rng = np.random.default_rng(6)
    spec = unit(rng, mw=24, mh=12, x="INT4", w="INT4", pe=3, simd=6, reuse=4)
    design = stitch(nodes.model_of([spec]))
    shell = shell_over(design, find_board("Pynq-Z1"), 1, (0, 1))
    netlist = json.loads(link_shell(shell, synthesize(design, cache, 1), cache).read_text())
    (system,) = (
        cell for cell in netlist["modules"][TOP]["cells"].values() if cell["type"] == "PS7"
    )
    pins = system["connections"]
    for port, writes in (("HP0", True), ("HP2", False)):
        assert isinstance(pins[f"SAXI{port}ARVALID"][0], int)
        assert isinstance(pins[f"SAXI{port}AWVALID"][0], int) == writes
    assert "SAXIHP1ARVALID" not in pins


@pytest.fixture(scope="module")
def residual(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A residual network: two blocks beside each other's sums, the second one wider."""
    import onnx

    path = tmp_path_factory.mktemp("model") / "resnet.onnx"
    onnx.save(resnet(4, 8, 1, (16, 32)), path)
    return path


def test_branches_wait_for_convolutions_with_weights_from_memory(
    residual: Path, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frames go one by one over the simulated board, memory slow and answering late; exact, and
    as fast as the model says."""
    everything = MVAU.foldings

    def outside_only(self: MVAU) -> list[Folding]:
        found = list(everything(self))
        return [f for f in found if f.mem_mode == "external" and f.reuse in (1, 16)] or found

    monkeypatch.setattr(MVAU, "foldings", outside_only)
    out = tmp_path / "out"
    options: Any = {"external_weights": True, "fps": 9000, "verify": "none"}
    report = build(residual, out=out, until="rtl", cache=cache, **options)
    performance = report.performance
    assert performance is not None and performance.batch == 1
    outside = [layer for layer in report.layers if layer.weights == "external"]
    assert sum("for 16 positions" in note for layer in outside for note in layer.notes) >= 2
    bus = Bus(seed=4, latency=(20, 60), rate=15.75)
    some, more = (run_on_board(out, count=count, bus=bus) for count in (4, 12))
    assert some.mismatches == 0 and more.mismatches == 0
    pace = (more.cycles - some.cycles) / 8
    assert pace == pytest.approx(performance.ii_cycles_estimate, rel=0.05)


def test_what_does_not_fit_is_told_of_weights_from_memory() -> None:
    """Of a convolution's too, and only where that helps."""
    rng = np.random.default_rng(8)
    spec = nodes.mvau(rng, mw=256, mh=256, x="INT4", w="INT4", pe=1, simd=1, vectors=16)
    small = {"LUT": 3000, "BRAM18": 12, "DSP": 1, "budget": 1.0}
    graph = stream_graph(nodes.model_of([spec]))
    SetFolding(fps=90, external_weights=True, **small).fold(graph)
    (node,) = graph.nodes
    assert node.weight_bytes(node.folding()) > 0
    with pytest.raises(TargetError, match="with --external-weights for"):
        SetFolding(fps=90, **small).fold(graph)
    with pytest.raises(TargetError) as refused:
        SetFolding(fps=90, bytes_per_cycle=1e-3, **small).fold(graph)
    assert "--external-weights" not in str(refused.value)
