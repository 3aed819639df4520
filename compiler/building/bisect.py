# SPDX-License-Identifier: Apache-2.0
"""Finding the pass that changed what the network computes.

All passes run once, unverified, and the IR after each that changed something is kept in a file.
Then the first of them that differs from the golden graph is found by halving: for n of them there
are n + 1 answers (one of them: none differs), which takes ceil(log2(n + 1)) verifications.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx_ir as ir

from qnnc.compiler.building.optimize import SAMPLES, Imported, import_model, standard_passes
from qnnc.compiler.building.options import BuildOptions
from qnnc.compiler.building.region import Region, cut
from qnnc.compiler.building.samples import Inputs, load_inputs, random_inputs
from qnnc.compiler.errors import ModelError, OptionError, QnncError
from qnnc.compiler.ir.saved import load_ir, save_ir
from qnnc.compiler.passes.base import Pass
from qnnc.compiler.passes.text import parse_pipeline
from qnnc.compiler.verification import Coverage, Outcome, Verifier, corner_samples


@dataclass(frozen=True)
class Step:
    """The IR after a pass that changed something.

    Attributes:
        name: of the pass.
        number: its place among all passes, from 1.
        file: the IR.
    """

    name: str
    number: int
    file: Path


@dataclass(frozen=True)
class Culprit:
    """What bisecting found.

    Attributes:
        step: the first pass after which the result differs, or None.
        passes: how many ran.
        verifications: how many were made.
        outcome: the comparison after the culprit; None where its graph does not even run.
        region: what reproduces the first difference, if there is one to show.
        failure: what a pass raised, or why the culprit's graph does not run; empty for nothing.
    """

    step: Step | None
    passes: int
    verifications: int
    outcome: Outcome | None = None
    region: Region | None = None
    failure: str = ""


class _Keeper:
    """Keeps the IR after each pass that changed something since the last one kept."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.steps: list[Step] = []

    def after(self, model: ir.Model, step: Pass, changed: bool, done: Sequence[str]) -> None:
        if changed:
            file = self.folder / f"{len(done):02d}-{step.name}.onnx"
            save_ir(model, file, list(done))
            self.steps.append(Step(step.name, len(done), file))


def bisect(options: BuildOptions, scratch: Path, out: Path) -> Culprit:
    """Find the first pass of a build that changed what the network computes.

    Args:
        scratch: folder for the IR after each pass.
        out: folder for what reproduces the difference.

    Raises:
        OptionError: the model is a saved IR, which has no golden graph.
        QnncError: as the frontend and the declaring passes do.
    """
    passes = parse_pipeline(options.passes or "...", standard_passes(options))
    imported = import_model(options)
    if imported.golden is None:
        raise OptionError("a saved IR has no golden graph to compare with; bisect the model")
    model = imported.model
    if options.samples is not None:
        inputs = load_inputs(model, options.samples)
    else:
        inputs = random_inputs(model, imported.golden, SAMPLES)
    keeper = _Keeper(scratch)
    failure = _run(imported, passes, keeper)
    if keeper.steps:
        inputs = _with_corners(inputs, keeper.steps[-1].file)
    verifier = Verifier(imported.golden, inputs)
    steps, count = keeper.steps, len(imported.manager.done)
    low, high, tried = 0, len(steps), 0  # those below `low` are equal, `high` differs
    found: tuple[ir.Model, Outcome | None, str] | None = None
    while low < high:
        middle = (low + high) // 2
        outcome, candidate, broken = _check(verifier, steps[middle].file)
        tried += 1
        if broken or (outcome is not None and outcome.mismatches):
            high, found = middle, (candidate, outcome, broken)
        else:
            low = middle + 1
    if found is None:
        return Culprit(None, count, tried, failure=failure)
    candidate, outcome, broken = found
    region = None
    if outcome is not None and outcome.first is not None:
        region = cut(candidate, verifier, outcome.first, out, force=options.force)
    return Culprit(steps[high], count, tried, outcome, region, broken)


def _run(imported: Imported, passes: Sequence[Pass], keeper: _Keeper) -> str:
    """Run the passes as far as they go; returns why they went no further."""
    manager = imported.manager
    manager.watchers = [keeper]
    for step in passes:
        try:
            manager.run(imported.model, [step])
        except QnncError as error:
            return f"pass {step.name} refuses the model: {error}"
        except Exception as error:  # what a wrong pass leaves may break any pass after it
            return f"pass {step.name} fails: {type(error).__name__}: {error}"
    return ""


def _with_corners(inputs: Inputs, last: Path) -> Inputs:
    """Samples, and those that a build adds to them; none where the passes stop before a dataflow
    graph, or leave one that does not run."""
    try:
        model, _ = load_ir(last)
        corners = corner_samples(model, inputs, Coverage(model))
    except QnncError:
        return inputs
    return {name: np.concatenate([array, corners[name]]) for name, array in inputs.items()}


def _check(verifier: Verifier, file: Path) -> tuple[Outcome | None, ir.Model, str]:
    model, _ = load_ir(file)
    try:
        return verifier.check(model), model, ""
    except ModelError as error:
        return None, model, str(error)
