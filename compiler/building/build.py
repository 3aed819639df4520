# SPDX-License-Identifier: Apache-2.0
"""The build: owns its folder, is handed from stage to stage, ends in a report."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from qnnc.compiler.backend import TABLE, Backend, Stage
from qnnc.compiler.board import Board, find_board
from qnnc.compiler.building.compile_stages import EstimateStage, PassesStage
from qnnc.compiler.building.options import STAGES, BuildOptions
from qnnc.compiler.building.provenance import Trail, origins
from qnnc.compiler.building.workspace import MARKER, REPORT, Workspace, is_finished
from qnnc.compiler.collector import patient_collector
from qnnc.compiler.errors import (
    QnncError,
    VerificationError,
    WorkspaceError,
    printable,
    quote,
)
from qnnc.compiler.files import write_text
from qnnc.compiler.ir.saved import blaming
from qnnc.compiler.page import PAGE, page
from qnnc.compiler.passes.manager import PassRun, Watcher
from qnnc.compiler.progress import Progress, Silent
from qnnc.compiler.report import (
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
    Report,
    ResourceReport,
    StageReport,
    StreamPort,
    Verification,
)
from qnnc.compiler.verification import Golden

BACKENDS = ("hls", "rtl", "bitstream")


@dataclass
class Build:
    """What stages read and fill in.

    Attributes:
        options: the user's.
        board: the target.
        workspace: its folder.
        progress: told what is going on.
        model: the IR, as far as passes have brought it.
        golden: the golden graph.
        inputs: samples for verification, by input.
        random: the samples are random.
        tensors: integer tensors of the dataflow graph for `inputs`, by name.
        shared: what a backend hands from one of its stages to the next.
        watchers: look at the model behind every pass.
        warnings: what the user was told that is no reason to stop.
        trail: knows where the nodes of the user's model went.
    """

    options: BuildOptions
    board: Board
    workspace: Workspace
    progress: Progress
    model: ir.Model | None = None
    golden: Golden | None = None
    inputs: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    random: bool = True
    tensors: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    shared: dict[str, Any] = field(default_factory=dict)
    watchers: Sequence[Watcher] = ()
    trail: Trail = field(default_factory=Trail)
    stages: list[StageReport] = field(default_factory=list)
    passes: list[PassRun] = field(default_factory=list)
    levels: list[LevelReport] = field(default_factory=list)
    layers: list[Layer] = field(default_factory=list)
    connections: list[Connection] = field(default_factory=list)
    streams: list[StreamPort] = field(default_factory=list)
    performance: Performance | None = None
    resources: ResourceReport | None = None
    host: HostSide | None = None
    implementation: Implementation | None = None
    artifacts: Artifacts = field(default_factory=Artifacts)
    warnings: list[str] = field(default_factory=list)

    def warn(self, text: str) -> None:
        """Tell the user something that is no reason to stop."""
        self.warnings.append(printable(text))
        self.progress.warn(printable(text))

    @property
    def clock_mhz(self) -> float:
        """Clock of the accelerator, exactly as the board sets it."""
        return self.board.clock(self.options.clock_mhz)

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

    def provenance(self) -> list[NodeOrigin]:
        """Where every node of the user's model is, as far as the passes have come."""
        if self.model is None:
            return []
        return origins(self.model, self.trail, self.passes)

    def report(self, error: QnncError | None = None) -> Report:
        """The report of what has been done so far."""
        return Report(
            qnnc_version=version("qnnc"),
            status="ok" if error is None else "failed",
            error="" if error is None else str(error),
            warnings=list(self.warnings),
            model=self.options.model,
            board=self.board.name,
            part=self.board.part,
            clock_mhz=self.clock_mhz,
            until=self.options.until or STAGES[-1],
            stages=self.stages,
            passes=[_pass_report(run) for run in self.passes],
            performance=self.performance,
            resources=self.resources,
            verification=Verification(
                samples=max((level.samples for level in self.levels), default=0),
                mismatches=sum(level.mismatches for level in self.levels),
                near_ties=sum(level.near_ties for level in self.levels),
                levels=self.levels,
            ),
            layers=self.layers,
            connections=self.connections,
            host=self.host,
            implementation=self.implementation,
            streams=self.streams,
            provenance=self.provenance(),
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


def all_stages() -> list[Stage]:
    """Every stage, in order."""
    stages: list[Stage] = [PassesStage(), EstimateStage()]
    for name in BACKENDS:
        stages += TABLE.load_class(name, Backend)().stages()
    return sorted(stages, key=lambda stage: STAGES.index(stage.name))


@patient_collector()
def run_build(
    options: BuildOptions, progress: Progress | None = None, watchers: Sequence[Watcher] = ()
) -> Report:
    """Build a model; the report is also written to the build's folder, a failed one too.

    Args:
        watchers: look at the model behind every pass.

    Raises:
        QnncError: something the user can put right.
    """
    options.check()
    board = find_board(options.board)
    board.clock(options.clock_mhz)  # a clock that cannot be set is refused before all else
    workspace = Workspace(options.out)
    build = Build(options, board, workspace, progress or Silent(), watchers=watchers)
    names = STAGES[: STAGES.index(options.until or STAGES[-1]) + 1]
    wanted = [stage for stage in all_stages() if stage.name in names]
    if options.stop_after:
        wanted = wanted[:1]
    products = [PAGE, *(name for stage in wanted for name in stage.products)]
    inputs = [Path(options.model), *(path for path in options.inputs() if path is not None)]
    with workspace.claimed(settings_of(options), products, force=options.force, inputs=inputs):
        try:
            _run_stages(build, wanted)
        except QnncError as error:
            told = _in_place(error, workspace)
            with suppress(QnncError):  # on a full disk there is room for neither
                told = _keep_failed(build, told)
            raise told from error
        report = build.report()
        write_report(report, build.model, workspace)
        workspace.finish(build.warn)
        report.warnings = list(build.warnings)
    return report


def _in_place(error: QnncError, workspace: Workspace) -> QnncError:
    """An error that names files where they will be, not where they were made."""
    text = str(error).replace(str(workspace.folder), str(workspace.home))
    return error if text == str(error) else type(error)(text)


def _keep_failed(build: Build, error: QnncError) -> QnncError:
    """Leave what a failed build has to show; returns the error with where that is, unless it has
    taken the build's place.

    A model that could not even be read has nothing to show beside a finished build.
    """
    workspace = build.workspace
    if build.model is None and is_finished(workspace.home):
        return error
    report = build.report(error)
    write_report(report, build.model, workspace)
    where = workspace.fail(build.warn)
    if where != workspace.home:
        error = type(error)(
            f"{error} (the finished build in {workspace.home} is kept; what failed is in {where})"
        )
    error.report = report
    return error


def write_report(report: Report, model: ir.Model | None, workspace: Workspace) -> None:
    """Leave report.html and then report.json, with which a build counts as done.

    Args:
        model: the IR as far as the build came.
    """
    report.artifacts.page = PAGE
    try:
        write_text(workspace.path(PAGE), page(report, model))
    except WorkspaceError:
        if report.status == "ok":
            raise
        report.artifacts.page = None  # the error that is to be reported is another one
    write_text(workspace.path(REPORT), report.model_dump_json(indent=2) + "\n")


def _run_stages(build: Build, stages: Sequence[Stage]) -> None:
    for index, stage in enumerate(stages):
        build.progress.stage(stage.name, index, len(stages))
        start = time.perf_counter()
        try:
            with blaming(build.options.start_from):
                outcome = stage.run(build)
        except QnncError as error:
            seconds = time.perf_counter() - start
            build.stages.append(
                StageReport(
                    name=stage.name, seconds=round(seconds, 3), status="failed", reason=str(error)
                )
            )
            build.progress.finished(stage.name, "failed", seconds)
            raise
        seconds = time.perf_counter() - start
        build.stages.append(
            StageReport(
                name=stage.name,
                seconds=round(seconds, 3),
                status=outcome.status,
                reason=outcome.reason,
            )
        )
        build.progress.finished(stage.name, outcome.status, seconds)


def settings_of(options: BuildOptions) -> dict[str, Any]:
    """Options as JSON, with what made the build."""
    plain = {
        name: str(value) if isinstance(value, Path) else value
        for name, value in asdict(options).items()
    }
    return {"qnnc": version("qnnc"), "options": plain}


def options_from(settings: Mapping[str, Any], folder: Path) -> BuildOptions:
    """Options of an earlier build, read back; the folder may have moved.

    Raises:
        WorkspaceError: they are not what a build has written.
    """
    from pydantic import TypeAdapter, ValidationError

    plain = {**settings["options"], "out": folder}
    unknown = sorted(set(plain) - set(BuildOptions.__dataclass_fields__))
    if unknown:
        raise WorkspaceError(
            f"{MARKER} has an unknown option {quote(unknown[0])} (another version of qnnc?); "
            "build again"
        )
    try:
        options = TypeAdapter(BuildOptions).validate_python(plain)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise WorkspaceError(
            f"{MARKER} is damaged: option {quote(where)}: {first['msg']}; build again"
        ) from error
    options.check()
    return options
