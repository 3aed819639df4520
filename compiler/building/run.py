# SPDX-License-Identifier: Apache-2.0
"""Running a build: its stages, one after the other, and what it leaves."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import onnx_ir as ir

from qnnc import __version__
from qnnc.compiler.board import find_board
from qnnc.compiler.building.backend import OverBudget, Stage
from qnnc.compiler.building.build import Build
from qnnc.compiler.building.options import AUTO, BuildOptions
from qnnc.compiler.building.stages import broken_backends, last_stage, stages_until
from qnnc.compiler.building.workspace import MARKER, REPORT, Workspace, is_finished
from qnnc.compiler.collector import patient_collector
from qnnc.compiler.errors import (
    OptionError,
    QnncError,
    TargetError,
    WorkspaceError,
    quote,
)
from qnnc.compiler.files import write_text
from qnnc.compiler.ir.saved import blaming
from qnnc.compiler.page import PAGE, page
from qnnc.compiler.passes.manager import Watcher
from qnnc.compiler.progress import Progress, usual_progress
from qnnc.compiler.report import (
    Report,
    StageReport,
)
from qnnc.compiler.resources import Resources
from qnnc.compiler.strict import strict_numbers

FOLDINGS = 3
"""Builds that are tried until one is within the budget as synthesised."""


@patient_collector()
def run_build(
    options: BuildOptions, progress: Progress | None = None, watchers: Sequence[Watcher] = ()
) -> Report:
    """Build a model; the report is also written to the build's folder, a failed one too.

    Args:
        watchers: look at the model after every pass.

    Raises:
        OptionError: the options do not go together.
        QnncError: something else that the user can fix.
    """
    options.check()
    wanted = stages_until(options.until)
    board = find_board(options.board)
    if options.clock_mhz == AUTO and not any(stage.finds_clock for stage in wanted):
        raise OptionError("--clock-mhz auto needs synthesis: set --until synthesize or a later one")
    board.clock(options.asked_mhz)  # a clock that cannot be set is refused before all else
    workspace = Workspace(options.out)
    build = Build(
        options,
        board,
        workspace,
        progress or usual_progress(),
        watchers=watchers,
        until=options.until or last_stage(),
    )
    for text in broken_backends():
        build.warn(text)
    if options.stop_after:
        wanted = wanted[:1]
    products = [PAGE, *(name for stage in wanted for name in stage.products)]
    inputs = [Path(options.model), *(path for path in options.inputs() if path is not None)]
    with workspace.claimed(settings_of(options), products, force=options.force, inputs=inputs):
        tries = _Tries(build)
        try:
            while not tries.done:
                build = tries.build
                with tries.budget_kept():
                    _run_stages(build, wanted)
        except QnncError as error:
            shown = _in_place(error, workspace)
            with suppress(QnncError):  # on a full disk there is room for neither
                shown = _keep_failed(build, shown)
            raise shown from error
        report = build.report()
        write_report(report, build.model, workspace)
        workspace.finish(build.warn)
        report.warnings = list(build.warnings)
    report.lies_in(workspace.home)
    return report


class _Tries:
    """Builds of the same model, each with more of the budget kept free than the one before, until
    what a late stage finds is within the budget.

    Attributes:
        build: the one to run.
        done: it has run to its end.
    """

    def __init__(self, build: Build) -> None:
        self.build = build
        self.done = False
        self._left = FOLDINGS
        self._first: OverBudget | None = None
        self._warnings = list(build.warnings)

    @contextmanager
    def budget_kept(self) -> Iterator[None]:
        """Around a run: where it ends beyond the budget, the next build takes its place.

        Raises:
            TargetError: what the first build took, where no further one helps.
        """
        try:
            yield
            self.done = True
        except OverBudget as error:
            self._first = self._first or error
            self._left -= 1
            if not self._left or self.build.options.share == math.inf:
                raise TargetError(str(self._first)) from error
            self.build.progress.detail("over the budget as synthesised: folding again")
            self.build = _again(self.build, self._warnings, error.excess)
        except TargetError as error:
            if self._first is None:
                raise
            raise TargetError(f"{self._first} (with less of it, {error})") from error


def _again(build: Build, warnings: list[str], excess: Resources) -> Build:
    """A build that starts afresh, with more of the budget kept free."""
    return Build(
        build.options,
        build.board,
        build.workspace,
        build.progress,
        watchers=build.watchers,
        until=build.until,
        warnings=list(warnings),
        kept_free=build.kept_free + excess,
    )


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
            with blaming(build.options.start_from), strict_numbers(f"stage {stage.name}"):
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
    return {"qnnc": __version__, "options": plain}


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
