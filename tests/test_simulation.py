# SPDX-License-Identifier: Apache-2.0
"""Simulation: what it measures, and that it finds what is wrong."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest

from benchmarks.networks import MlpSpec, mlp
from qnnc.backends.rtl.stitch import stitch
from qnnc.backends.simulation.compiler import Compilation
from qnnc.backends.simulation.simulate import (
    Pressure,
    SimulationResult,
    build_program,
    choose_engine,
    simulate,
)
from qnnc.compiler.dataflow.stream_graph import stream_graph
from qnnc.compiler.errors import OptionError, ToolError, VerificationError
from qnnc.compiler.reference import BatchRunner
from tests.support.build import compile_proto

FRAMES = 12


class Chain:
    """A small folded network, its design and its integers."""

    def __init__(self) -> None:
        proto = mlp(MlpSpec((48, 24, 12, 6), 2, 2, "relu", 2, seed=2))
        self.model, _, _ = compile_proto(proto, fold=True, fps=1_000_000.0, top_k=1)
        self.design = stitch(self.model)
        graph = stream_graph(self.model)
        x = np.random.default_rng(0).normal(size=(FRAMES, 48)).astype(np.float32)
        values = list(dict.fromkeys(edge.value for edge in graph.edges))
        self.tensors = BatchRunner(self.model, values).run({"x": x})

    def run(
        self,
        cache: Path,
        engine: str,
        pressure: Pressure,
        *,
        spoil: str | None = None,
        text: tuple[str, str] | None = None,
    ) -> SimulationResult:
        """Simulate; `spoil` names a memory file to break, `text` is an edit of the RTL."""
        with tempfile.TemporaryDirectory() as name:
            rtl, work = Path(name) / "rtl", Path(name) / "work"
            work.mkdir()
            self.design.write(rtl)
            if spoil is not None:
                path = rtl / spoil
                lines = path.read_text().splitlines()
                lines[0] = f"{int(lines[0], 16) ^ 1:0{len(lines[0])}x}"
                path.write_text("\n".join(lines) + "\n")
            program = build_program(self.design, rtl, engine, Compilation(work, cache, 2))
            return simulate(self.design, program, rtl, engine, self.tensors, pressure)


@pytest.fixture(scope="module")
def chain() -> Chain:
    return Chain()


@pytest.fixture(params=["cxxrtl", "verilator"])
def engine(request: pytest.FixtureRequest) -> str:
    try:
        return choose_engine(request.param)
    except ToolError as reason:
        pytest.skip(str(reason))


def test_the_interval_is_the_estimate(chain: Chain, cache: Path, engine: str) -> None:
    result = chain.run(cache, engine, Pressure())
    estimate = max(i.node.cycles(i.node.folding()) for i in chain.design.instances)
    assert result.mismatches == 0
    assert result.ii_cycles == pytest.approx(estimate, rel=0.01)
    assert estimate < result.latency_cycles < 20 * estimate
    assert len(result.streams) == len(chain.design.wires) + 1
    assert all(
        s.elements == FRAMES * e.stream.elements
        for s, e in zip(result.streams, [*chain.design.outputs, *chain.design.wires], strict=True)
    )


@pytest.mark.parametrize(
    "pressure", [Pressure(50, 50, 1), Pressure(100, 5, 2), Pressure(5, 100, 3)]
)
def test_back_pressure_changes_no_result(
    chain: Chain, cache: Path, engine: str, pressure: Pressure
) -> None:
    assert chain.run(cache, engine, pressure).mismatches == 0


def test_engines_agree_to_the_cycle(chain: Chain, cache: Path) -> None:
    try:
        choose_engine("verilator")
    except ToolError as reason:
        pytest.skip(str(reason))
    pressure = Pressure(70, 40, 9)
    a, b = (chain.run(cache, engine, pressure) for engine in ("cxxrtl", "verilator"))
    assert (a.cycles, a.latency_cycles, a.ii_cycles) == (b.cycles, b.latency_cycles, b.ii_cycles)


def test_one_wrong_weight_bit_is_found(chain: Chain, cache: Path, engine: str) -> None:
    result = chain.run(cache, engine, Pressure(), spoil="mvau_1_weights.mem")
    wrong = {s.name for s in result.streams if s.mismatches}
    assert "mvau_1_out" in wrong
    assert "mvau_0_out" not in wrong and "thresholding_0_out" not in wrong
    first = next(s.first for s in result.streams if s.name == "mvau_1_out")
    assert first is not None and first[0] < FRAMES


def test_a_missing_output_word_ends_as_deadlock(chain: Chain, cache: Path) -> None:
    """With a frame too few the testbench gives up instead of waiting for ever."""
    port = chain.design.inputs[0]
    name = str(port.value.name)
    tensors = {**chain.tensors}
    starved = {n: a if n != name else a[:-1] for n, a in tensors.items()}
    with tempfile.TemporaryDirectory() as folder:
        rtl, work = Path(folder) / "rtl", Path(folder) / "work"
        work.mkdir()
        chain.design.write(rtl)
        program = build_program(chain.design, rtl, "cxxrtl", Compilation(work, cache, 2))
        from qnnc.backends.simulation import simulate as module

        def short(*arguments: object) -> object:
            return original(*arguments[:4], FRAMES, *arguments[5:])  # type: ignore[arg-type]

        original = module._run
        module._run = short  # type: ignore[assignment]
        try:
            with pytest.raises(VerificationError, match="no stream moved"):
                simulate(chain.design, program, rtl, "cxxrtl", starved, Pressure())
        finally:
            module._run = original


def test_unknown_engine() -> None:
    with pytest.raises(OptionError, match="modelsim"):
        choose_engine("modelsim")
