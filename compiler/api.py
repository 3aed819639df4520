# SPDX-License-Identifier: Apache-2.0
"""What Python programs call."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import onnx

from qnnc.compiler.building.options import PATHS, BuildOptions, Options, default_cache
from qnnc.compiler.errors import OptionError
from qnnc.compiler.frontend import offered
from qnnc.compiler.plugins import close_matches
from qnnc.compiler.progress import Progress
from qnnc.compiler.strict import strict_numbers

if TYPE_CHECKING:  # the rest is imported when it is wanted: this module has to be quick to import
    from qnnc.compiler.passes.manager import Watcher
    from qnnc.compiler.report import Report


def build(
    model: str | Path | object,
    *,
    out: str | Path,
    progress: Progress | None = None,
    watchers: Sequence[Watcher] = (),
    **options: Unpack[Options],
) -> Report:
    """Build an accelerator, as `qnnc build` does.

    Args:
        model: what the frontend reads, usually an ONNX file; an onnx.ModelProto or onnx_ir.Model,
            which is kept as a file in the cache, for later commands; or a torch.nn.Module with
            Brevitas layers, whose own forward is then compared with what was exported of it. It
            needs input_shape, such as (1, 1, 28, 28).
        out: folder of the build.
        progress: notified of what is going on; by default a bar in a notebook, nothing elsewhere.
        watchers: look at the model after every pass.
        options: any field of `BuildOptions`, such as board="Pynq-Z1", fps=100_000, until="ip".

    Returns:
        The report, which also lies in the folder as report.json. In a notebook it shows itself;
        `report.show()` opens it anywhere.

    Raises:
        OptionError: there is no such option.
        QnncError: something else that the user can fix; its text is one line.
    """
    import onnx_ir as ir

    from qnnc.compiler.building.given_model import kept_model
    from qnnc.compiler.building.run import run_build

    given: dict[str, Any] = dict(options)
    for name in PATHS:
        if isinstance(given.get(name), str):
            given[name] = Path(given[name])
    unknown = sorted(set(given) - set(BuildOptions.__dataclass_fields__))
    if unknown:
        known = list(BuildOptions.__dataclass_fields__)
        raise OptionError(f"unknown build option {unknown[0]!r}{close_matches(unknown[0], known)}")
    shape = given.get("input_shape")
    if shape is not None and not isinstance(shape, str):
        given["input_shape"] = ",".join(str(size) for size in shape)
    if isinstance(model, onnx.ModelProto | ir.Model):
        model = kept_model(model, Path(given.get("cache") or default_cache()))
    if isinstance(model, str | os.PathLike):
        return run_build(BuildOptions(model=str(model), out=Path(out), **given), progress, watchers)
    with offered(model) as name:
        return run_build(BuildOptions(model=name, out=Path(out), **given), progress, watchers)


def compile(
    model: str | Path | object,
    *,
    out: str | Path,
    progress: Progress | None = None,
    **options: Unpack[Options],
) -> Report:
    """Only the graph passes and the estimate: `build` up to "estimate"."""
    return build(model, out=out, progress=progress, **Options(until="estimate") | options)


@dataclass(frozen=True)
class Verdict:
    """What verifying a build on samples found.

    Attributes:
        samples: how many.
        same: on how many the compiled graph's answer is the golden graph's.
        near: on how many more they differ by no more than the golden graph's own rounding.
        correct: how many answers agree with the labels, or None without labels.
        golden_correct: the same for the golden graph.
    """

    samples: int
    same: int
    near: int
    correct: int | None
    golden_correct: int | None


@strict_numbers("verification")
def verify(folder: str | Path, samples: str | Path, labels: str | Path | None = None) -> Verdict:
    """Run a build's compiled graph and its golden graph on samples.

    The answer to a sample is its label where the network gives labels or scores of classes, and
    the whole output otherwise.

    Raises:
        WorkspaceError: no such build, or files that do not fit it.
    """
    from qnnc.compiler.building.answers import answered
    from qnnc.compiler.building.workspace import Workspace

    workspace = Workspace(Path(folder))
    with workspace.reading():
        found = answered(workspace, Path(samples), None if labels is None else Path(labels))
    return Verdict(
        samples=len(found.compiled),
        same=found.same,
        near=found.near,
        correct=found.correct(found.compiled),
        golden_correct=found.correct(found.golden),
    )
