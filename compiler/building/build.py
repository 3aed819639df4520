# SPDX-License-Identifier: Apache-2.0
"""The build: owns its folder, is handed from stage to stage, ends in a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from qnnc import __version__
from qnnc.compiler.board import Board
from qnnc.compiler.building.final_check import coverage_report
from qnnc.compiler.building.options import BuildOptions
from qnnc.compiler.building.provenance import Trail, origins
from qnnc.compiler.building.workspace import Workspace
from qnnc.compiler.errors import (
    QnncError,
    VerificationError,
    printable,
)
from qnnc.compiler.passes.manager import PassRun, Watcher
from qnnc.compiler.progress import Progress
from qnnc.compiler.report import (
    AccuracyReport,
    Artifacts,
    Connection,
    HostSide,
    Implementation,
    Layer,
    LevelReport,
    NodeOrigin,
    PassReason,
    PassReport,
    Performance,
    QuantizationReport,
    Report,
    ResourceReport,
    StageReport,
    StreamPort,
    TimingReport,
    Verification,
    WitnessReport,
)
from qnnc.compiler.resources import Resources
from qnnc.compiler.verification import Coverage, Golden

T = TypeVar("T")


@dataclass
class Build:
    """What stages read and fill in.

    Attributes:
        options: the user's.
        board: the target.
        workspace: its folder.
        progress: notified of what is going on.
        model: the IR, as far as passes have brought it.
        golden: the golden graph.
        inputs: samples for verification, by input, corner samples among them.
        corners: which of them are corner samples.
        random: the others are random.
        coverage: how far they have driven the dataflow graph.
        witness: what the module that the model was exported from says to it.
        quantization: how a float model that was given compares with what it was quantized to.
        tensors: integer tensors of the dataflow graph for `inputs`, by name.
        results: what stages hand on to later ones, by type (`keep`, `kept`).
        watchers: look at the model after every pass.
        warnings: messages to the user that do not stop the build.
        until: name of the last stage.
        kept_free: of the budget, because synthesis of an earlier folding took more than estimated.
        timing: how fast the accelerator can be clocked, once it is synthesised.
        chosen_mhz: the clock, where it was left to the build (`--clock-mhz auto`).
        trail: records where the nodes of the user's model ended up.
    """

    options: BuildOptions
    board: Board
    workspace: Workspace
    progress: Progress
    model: ir.Model | None = None
    golden: Golden | None = None
    inputs: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    corners: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, dtype=bool))
    random: bool = True
    coverage: Coverage | None = None
    witness: WitnessReport | None = None
    quantization: QuantizationReport | None = None
    tensors: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    results: dict[type, object] = field(default_factory=dict)
    watchers: Sequence[Watcher] = ()
    trail: Trail = field(default_factory=Trail)
    stages: list[StageReport] = field(default_factory=list)
    passes: list[PassRun] = field(default_factory=list)
    levels: list[LevelReport] = field(default_factory=list)
    accuracy: AccuracyReport | None = None
    layers: list[Layer] = field(default_factory=list)
    connections: list[Connection] = field(default_factory=list)
    streams: list[StreamPort] = field(default_factory=list)
    performance: Performance | None = None
    resources: ResourceReport | None = None
    host: HostSide | None = None
    implementation: Implementation | None = None
    timing: TimingReport | None = None
    chosen_mhz: float | None = None
    artifacts: Artifacts = field(default_factory=Artifacts)
    warnings: list[str] = field(default_factory=list)
    until: str = ""
    kept_free: Resources = field(default_factory=Resources)

    def warn(self, text: str) -> None:
        """Tell the user something that does not stop the build."""
        self.warnings.append(printable(text))
        self.progress.warn(printable(text))

    def keep(self, result: object) -> None:
        """Hand a result to later stages, which ask for it by its type."""
        self.results[type(result)] = result

    def kept(self, kind: type[T]) -> T | None:
        """What an earlier stage has handed on, or None if it has not."""
        found = self.results.get(kind)
        return found if isinstance(found, kind) else None

    @property
    def clock_mhz(self) -> float:
        """Clock of the accelerator, exactly as the board sets it."""
        return self.chosen_mhz or self.board.clock(self.options.asked_mhz)

    @property
    def folder(self) -> Path:
        """The build's folder."""
        return self.workspace.folder

    def ready_model(self) -> ir.Model:
        """The model; raises if no stage has made one."""
        if self.model is None:
            raise RuntimeError("the passes have not run")
        return self.model

    def verified(self, level: LevelReport, differs: str) -> None:
        """Keep what a comparison found.

        Raises:
            VerificationError: of `differs` and the first mismatch, if there is one.
        """
        self.levels.append(level)
        if level.mismatches:
            raise VerificationError(f"{differs}: {level.detail}")

    def corners_among(self, frames: int) -> int:
        """How many of the first samples are corner samples."""
        return int(self.corners[:frames].sum())

    def provenance(self) -> list[NodeOrigin]:
        """Where every node of the user's model is, as far as the passes have come."""
        if self.model is None:
            return []
        return origins(self.model, self.trail, self.passes)

    def report(self, error: QnncError | None = None) -> Report:
        """The report of what has been done so far."""
        return Report(
            qnnc_version=__version__,
            status="ok" if error is None else "failed",
            error="" if error is None else str(error),
            warnings=list(self.warnings),
            model=self.options.model,
            board=self.board.name,
            part=self.board.part,
            clock_mhz=self.clock_mhz,
            until=self.until,
            stages=self.stages,
            passes=[_pass_report(run) for run in self.passes],
            performance=self.performance,
            resources=self.resources,
            timing=self.timing,
            verification=Verification(
                samples=max((level.samples for level in self.levels), default=0),
                corner_samples=max((level.corner_samples for level in self.levels), default=0),
                mismatches=sum(level.mismatches for level in self.levels),
                near_ties=sum(level.near_ties for level in self.levels),
                levels=self.levels,
                witness=self.witness,
                coverage=None if self.coverage is None else coverage_report(self.coverage.whole()),
            ),
            accuracy=self.accuracy,
            layers=self.layers,
            connections=self.connections,
            host=self.host,
            implementation=self.implementation,
            streams=self.streams,
            provenance=self.provenance(),
            quantization=self.quantization,
            artifacts=self.artifacts,
        )


def _pass_report(run: PassRun) -> PassReport:
    reasons = [PassReason(node=r.node, sources=list(r.sources), text=r.text) for r in run.reasons]
    return PassReport(
        name=run.name,
        seconds=round(run.seconds, 4),
        changed=run.changed,
        verified=run.verified,
        reasons=reasons,
    )
