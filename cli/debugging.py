# SPDX-License-Identifier: Apache-2.0
"""What commands print of passes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

from qnnc.compiler.building.watchers import ALL, CHANGED, Printer
from qnnc.compiler.building.workspace import REPORT
from qnnc.compiler.errors import OptionError
from qnnc.compiler.passes.manager import Watcher
from qnnc.compiler.passes.registry import pass_names
from qnnc.compiler.plugins import close_matches


def printers(wanted: str, *, err: bool = False) -> list[Watcher]:
    """Watchers for `--print-after`.

    Args:
        err: print to standard error, because standard output is for a program.

    Raises:
        OptionError: there is no such pass.
    """
    if not wanted:
        return []
    known = pass_names()
    if wanted not in (ALL, CHANGED, *known):
        suggestion = close_matches(wanted, [*known, ALL, CHANGED])
        raise OptionError(f"--print-after: unknown pass {wanted!r}{suggestion}")
    return [Printer(wanted, lambda text: typer.echo(text, err=err))]


def show_pass_times(out: Path) -> None:
    """Print the time of each pass of a build, a failed one too, on standard error."""
    try:
        report = json.loads((out / REPORT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return  # it has failed before there was anything to time
    show_times(report["passes"])


def show_times(runs: Sequence[Mapping[str, Any]]) -> None:
    """Print a table of passes with seconds and share."""
    total = sum(run["seconds"] for run in runs)
    for run in runs:
        share = 100 * run["seconds"] / total if total else 0.0
        notes = ["changed"] * run["changed"] + ["verified"] * run["verified"]
        typer.echo(
            f"{run['name']:24} {run['seconds']:9.4f} s {share:5.1f} %  {' '.join(notes)}".rstrip(),
            err=True,
        )
    typer.echo(f"{'all passes':24} {total:9.4f} s", err=True)
