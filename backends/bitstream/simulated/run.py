# SPDX-License-Identifier: Apache-2.0
"""Running a build's package on the simulated board."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qnnc import __version__
from qnnc.backends.bitstream.package.pace import pace_of
from qnnc.backends.bitstream.package.package import Source, golden_samples, write_package
from qnnc.backends.bitstream.shell import Shell
from qnnc.backends.bitstream.simulated.board import Bus, SimulatedBoard
from qnnc.backends.bitstream.simulated.platform import SimulatedPlatform, load_driver
from qnnc.backends.bitstream.simulated.program import build_board
from qnnc.backends.bitstream.stages.driver import make_build_shell
from qnnc.backends.rtl.resimulate import remake
from qnnc.backends.simulation.compiler import Compilation
from qnnc.backends.simulation.simulate import choose_engine
from qnnc.compiler.building.build import Build
from qnnc.compiler.building.samples import Inputs, load_inputs, random_inputs
from qnnc.compiler.building.workspace import Workspace
from qnnc.compiler.errors import OptionError
from qnnc.compiler.reference import BatchRunner
from qnnc.compiler.samples import load_labels
from qnnc.compiler.strict import strict_numbers
from qnnc.compiler.verification import Verifier

FRAMES = 64
"""Run unless another number is asked for."""
FLOAT_TOLERANCE = 1e-5
"""Of floating-point outputs, relative to the largest: the golden graph rounds its sums."""


@dataclass(frozen=True)
class BoardResult:
    """A batch on the simulated board.

    Attributes:
        engine: simulator.
        frames: how many.
        mismatches: frames whose answer is not the golden graph's (floating-point answers: up to
            float32 rounding), near-ties excepted.
        near_ties: frames whose answer is the dataflow graph's, and differs from the golden graph's
            only by that one's own rounding (`Verifier` finds no fault in any tensor).
        correct: frames whose answer is the label, or None without labels.
        cycles: that the accelerator counted, first request to last answer.
        bound_cycles: fewest possible cycles per frame: of the slowest node, or of moving the data.
        frames_per_second: at the build's clock.
        stalls: for each stream, cycles in which its receiver waited, and a word waited.
    """

    engine: str
    frames: int
    mismatches: int
    near_ties: int
    correct: int | None
    cycles: int
    bound_cycles: float
    frames_per_second: float
    stalls: Mapping[str, tuple[int, int]]


@strict_numbers("simulation of the board")
def run_on_board(
    folder: Path,
    *,
    engine: str = "auto",
    samples: Path | None = None,
    labels: Path | None = None,
    count: int | None = None,
    bus: Bus | None = None,
    netlist: Callable[[Shell], str] | None = None,
) -> BoardResult:
    """Take a build's package to the simulated board and run samples through its driver.

    Args:
        folder: of the build.
        samples: of real inputs; by default those of the build, or random ones.
        labels: of the samples.
        count: how many frames; by default 64, or as many as there are.
        bus: how the processing system's ports behave.
        netlist: gives SystemVerilog to be simulated in the place of the shell; needs Verilator.

    Raises:
        WorkspaceError: the build or the files do not fit.
        OptionError: there are fewer samples than frames.
        VerificationError: the shell breaks AXI's rules.
    """
    with (
        Workspace(folder.absolute()).reading(),
        tempfile.TemporaryDirectory(prefix="qnnc-board-") as name,
    ):
        scratch = Path(name)
        build = remake(folder, scratch / "build", samples=samples)
        shell = make_build_shell(build)
        chosen = choose_engine(engine)
        (scratch / "work").mkdir()
        how = Compilation(scratch / "work", build.options.cache, build.options.jobs)
        text = netlist(shell) if netlist is not None else ""
        program = build_board(shell, scratch / "rtl", chosen, how, text)
        inputs = _inputs(build, count)
        package = folder.absolute() / "package"
        if not (package / "driver.py").is_file():
            package = scratch / "package"
            model = scratch / "build" / "model"
            source = Source(
                shell,
                build.board,
                build.clock_mhz,
                pace_of(shell, build.layers),
                model,
                inputs,
                None,
                __version__,
            )
            write_package(source, package)
        driver = load_driver(package)
        with SimulatedBoard(program, scratch / "rtl", bus) as board:
            platform = SimulatedPlatform(board, build.clock_mhz)
            accelerator = driver.Accelerator(str(package), platform=platform)
            ordered = list(inputs.values())
            found = accelerator.predict(ordered if len(ordered) > 1 else ordered[0])
            cycles, stalls = int(accelerator.run_cycles), dict(accelerator.stalls())
        answers = found if isinstance(found, list) else [found]
        golden = golden_samples(
            scratch / "build" / "model" / "golden.onnx", inputs, len(ordered[0])
        )
        frames = len(ordered[0])
        wrong = _differ(answers, [golden[f"output_{i}"] for i in range(len(answers))])
        near = _near_ties(build, inputs, answers, wrong)
        return BoardResult(
            chosen,
            frames,
            int(wrong.sum()) - near,
            near,
            _correct(answers[0], labels),
            cycles,
            pace_of(shell, build.layers).frame_cycles,
            frames * build.clock_mhz * 1e6 / cycles,
            stalls,
        )


def _inputs(build: Build, count: int | None) -> Inputs:
    """As many samples as are asked for: the user's, or random ones, of which there are always
    enough."""
    model, path = build.ready_model(), build.options.real_samples
    if path is None:
        assert build.golden is not None
        return random_inputs(model, build.golden, count or FRAMES)
    found = load_inputs(model, path)
    there = len(next(iter(found.values())))
    if count is not None and count > there:
        raise OptionError(f"--count asks for {count} frames, but {path} has {there}")
    return {name: array[: count or FRAMES] for name, array in found.items()}


def _near_ties(
    build: Build, inputs: Inputs, answers: list[NDArray[Any]], wrong: NDArray[np.bool_]
) -> int:
    """How many of the frames that differ from the golden graph are as the dataflow graph has them,
    and differ by rounding alone."""
    if not wrong.any():
        return 0
    assert build.golden is not None
    few, model = {name: array[wrong] for name, array in inputs.items()}, build.ready_model()
    outcome = Verifier(build.golden, few).check(model)
    computed = BatchRunner(model).run(few)
    proven = [computed[str(value.name)] for value in model.graph.outputs]
    other = _differ([array[wrong] for array in answers], proven)
    return int((~other & ~outcome.faulty).sum())


def _differ(found: list[NDArray[Any]], golden: list[NDArray[Any]]) -> NDArray[np.bool_]:
    """Frames that differ: integers must be equal, floating-point numbers up to rounding."""
    wrong = np.zeros(len(golden[0]), dtype=bool)
    for have, want in zip(found, golden, strict=True):
        apart = np.abs(have.astype(np.float64) - want).reshape(len(wrong), -1).max(axis=1)
        reach = np.abs(want).max() * FLOAT_TOLERANCE if want.dtype.kind == "f" else 0.0
        wrong |= ~(apart <= reach)
    return wrong


def _correct(answers: NDArray[np.generic], labels: Path | None) -> int | None:
    if labels is None:
        return None
    flat = answers.reshape(len(answers), -1)
    wanted = load_labels(labels, len(flat), more=True)
    labelled = flat[:, 0] if flat.shape[1] == 1 else flat.argmax(axis=1)
    return int((labelled == wanted).sum())
