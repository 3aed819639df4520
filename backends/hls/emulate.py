# SPDX-License-Identifier: Apache-2.0
"""Running the emulator of a build on any samples."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx_ir as ir

from qnnc.backends.hls.emulator.emulator import Emulator
from qnnc.backends.hls.stages.emulate import FOLDER
from qnnc.compiler.building.answers import (
    answers,
    as_answers,
    gives_labels,
    load_model,
    load_samples,
    near_ties,
)
from qnnc.compiler.building.workspace import Workspace
from qnnc.compiler.reference import BatchRunner
from qnnc.compiler.samples import load_labels
from qnnc.compiler.strict import strict_numbers


@dataclass(frozen=True)
class EmulationVerdict:
    """What emulating samples found.

    Attributes:
        samples: how many.
        same: on how many the emulator's answer is the golden graph's.
        near: on how many more they differ by no more than the golden graph's own rounding.
        correct: how many answers agree with the labels, or None without labels.
        threads: that shared the frames.
        seconds: of the emulator for all frames; host parts, files and start-up not counted.
        compile_seconds: of the compiler; about 0 where the cache had the program.
    """

    samples: int
    same: int
    near: int
    correct: int | None
    threads: int
    seconds: float
    compile_seconds: float

    @property
    def microseconds(self) -> float:
        """Time per frame."""
        return 1e6 * self.seconds / self.samples


@strict_numbers("emulation")
def emulate(
    folder: Path, samples: Path, labels: Path | None, threads: int, cache: Path
) -> EmulationVerdict:
    """Preprocess on the host, run the emulator, postprocess, compare with the golden graph.

    Raises:
        WorkspaceError: no such build, or files that do not fit it.
        ToolError: the emulator cannot be compiled or run.
    """
    workspace = Workspace(folder.absolute())
    with workspace.reading():
        return _emulate(workspace, samples, labels, threads, cache)


def _emulate(
    workspace: Workspace, samples: Path, labels: Path | None, threads: int, cache: Path
) -> EmulationVerdict:
    emulator = Emulator(workspace.path(FOLDER))
    golden, pre, post = (load_model(workspace, f"{n}.onnx") for n in ("golden", "pre", "post"))
    inputs = load_samples(golden, samples)
    wanted = None if labels is None else load_labels(labels, len(next(iter(inputs.values()))))
    start = time.perf_counter()
    program, _ = emulator.compile(cache.absolute())
    compile_seconds = time.perf_counter() - start
    words = BatchRunner(pre, chunk=256).run(inputs)
    handed_over = list(pre.graph.outputs)
    streams = handed_over[: len(emulator.inputs)]
    fed = {t.name: words[str(v.name)] for t, v in zip(emulator.inputs, streams, strict=True)}
    emulation = emulator.run(program, fed, threads=threads)
    # what is handed past the accelerator comes after its streams, in both halves
    beside = [words[str(v.name)] for v in handed_over[len(streams) :]]
    results = [*emulation.outputs.values(), *beside]
    given = {
        str(v.name): a.astype(np.float64 if v.dtype == ir.DataType.DOUBLE else np.float32)
        for v, a in zip(post.graph.inputs, results, strict=True)
    }
    outputs = BatchRunner(post, chunk=256).run(given)
    mine = as_answers(outputs, gives_labels(golden))
    theirs = answers(golden, inputs)
    return EmulationVerdict(
        samples=len(mine),
        same=int(np.all(mine == theirs, axis=1).sum()),
        near=int(near_ties(workspace, inputs, mine, theirs).sum()),
        correct=None if wanted is None else int((mine[:, 0] == wanted).sum()),
        threads=threads,
        seconds=emulation.seconds,
        compile_seconds=compile_seconds,
    )
