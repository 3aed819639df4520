# SPDX-License-Identifier: Apache-2.0
"""emulate: compile the accelerator as C++, run it on the samples, compare every stream."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qnnc.backends.hls.emulator.emulator import Emulation, Emulator, write_emulator
from qnnc.backends.hls.emulator.network import network_of
from qnnc.backends.hls.hls_node import has_hls
from qnnc.backends.simulation.compiler import compiler, has_compiler
from qnnc.compiler.building.backend import Stage, StageOutcome
from qnnc.compiler.building.build import Build
from qnnc.compiler.dataflow import is_dataflow
from qnnc.compiler.errors import quote
from qnnc.compiler.report import LevelReport

FOLDER = "emulator"
MAX_ELEMENTS = 1 << 26
"""Elements of all streams and frames that are kept at once."""


class EmulateStage(Stage):
    """The emulator, against the integers of the dataflow graph."""

    name = "emulate"
    after = "estimate"
    products = (FOLDER,)

    def run(self, build: Build) -> StageOutcome:
        model = build.ready_model()
        missing = [n.op_type for n in model.graph if is_dataflow(n) and not has_hls(n.op_type)]
        if missing:
            return StageOutcome("skipped", f"there is no C++ for {missing[0]}")
        if build.options.until != self.name and not has_compiler():
            return StageOutcome("skipped", "no C++ compiler found; install g++ (apt install g++)")
        network = network_of(model)
        write_emulator(network, build.folder / FOLDER)
        build.artifacts.emulator = FOLDER
        emulator = Emulator(build.folder / FOLDER)
        build.progress.detail("compiling the emulator")
        program, cached = emulator.compile(build.options.cache)
        elements = sum(channel.stream.elements for channel in network.channels)
        frames = max(1, MAX_ELEMENTS // elements)
        inputs = {t.name: build.tensors[t.name][:frames] for t in emulator.inputs}
        build.progress.detail("emulating")
        emulation = emulator.run(program, inputs, threads=build.options.jobs, taps=True)
        _record(build, compare(emulation, build.tensors))
        return StageOutcome(reason="compiled before" if cached else "")


@dataclass(frozen=True)
class Comparison:
    """What comparing an emulation found.

    Attributes:
        frames: compared.
        tensors: compared in each.
        mismatches: elements that differ.
        detail: the first of them, or an empty string.
    """

    frames: int
    tensors: int
    mismatches: int
    detail: str


def compare(emulation: Emulation, tensors: Mapping[str, NDArray[Any]]) -> Comparison:
    """Compare every tensor [frames, …] of an emulation with those of the dataflow graph."""
    found = {**emulation.taps, **emulation.outputs}
    frames, mismatches, detail = 0, 0, ""
    for name, mine in found.items():
        frames = mine.shape[0]
        flat = mine.reshape(frames, -1).astype(np.int64)
        expected = np.rint(tensors[name][:frames].astype(np.float64)).astype(np.int64)
        bad = flat != expected.reshape(frames, -1)
        count = int(np.count_nonzero(bad))
        mismatches += count
        if count and not detail:
            frame, element = (int(i) for i in np.argwhere(bad)[0])
            detail = (
                f"tensor {quote(name)} differs in {count} elements, first in frame {frame} at "
                f"element {element}"
            )
    return Comparison(frames, len(found), mismatches, detail)


def _record(build: Build, comparison: Comparison) -> None:
    build.verified(
        LevelReport(
            level="emulator",
            samples=comparison.frames,
            corner_samples=build.corners_among(comparison.frames),
            mismatches=comparison.mismatches,
            tensors=comparison.tensors,
            engine=os.path.basename(compiler()),
            random_inputs=build.random,
            detail=comparison.detail,
        ),
        "the emulator differs from the dataflow graph",
    )
