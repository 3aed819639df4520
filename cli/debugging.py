# SPDX-License-Identifier: Apache-2.0
"""What commands print about passes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import typer

from qnnc.compiler.building.watchers import ALL, CHANGED, Printer
from qnnc.compiler.errors import OptionError, QnncError
from qnnc.compiler.passes.manager import Watcher
from qnnc.compiler.passes.registry import pass_names
from qnnc.compiler.plugins import close_matches
from qnnc.compiler.report import Report


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


@contextmanager
def pass_times(wanted: bool) -> Iterator[Callable[[Report], Report]]:
    """Print the time of each pass of a build at its end, of a failed one too, on standard error.

    Yields:
        What is to be given the report of a build that has not failed, and gives it back.
    """
    found: list[Report] = []

    def keep(report: Report) -> Report:
        found.append(report)
        return report

    try:
        yield keep
    except QnncError as error:
        if error.report is not None:
            found.append(error.report)
        raise
    finally:
        if wanted and found:  # else it has failed before there was anything to time
            show_times([run.model_dump() for run in found[0].passes])


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
