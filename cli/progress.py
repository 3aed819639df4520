# SPDX-License-Identifier: Apache-2.0
"""Progress on a terminal's standard error, which otherwise carries errors only."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)


class _Bar:
    """A bar that disappears when the work is done; none where standard error is not a terminal."""

    def __init__(self, *columns: ProgressColumn) -> None:
        self._console = Console(stderr=True)
        self._bar = Progress(
            *columns,
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task("starting", total=None)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()


class ConsoleProgress(_Bar):
    """The stages of a build: a bar, and a line for each finished stage, on standard error too or,
    where that is not a terminal, on standard output."""

    def __init__(self, *, lines: bool = True) -> None:
        super().__init__(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TimeElapsedColumn(),
        )
        self._lines = self._console if self._console.is_terminal else Console(quiet=not lines)
        self._stage = ""
        self._index = 0

    def stage(self, name: str, index: int, count: int) -> None:
        """Show the stage's name and number."""
        self._stage, self._index = name, index
        self._bar.update(self._task, total=float(count), completed=float(index), description=name)

    def detail(self, text: str, done: float | None = None) -> None:
        """Show what is being done, and move the bar to the share that is done."""
        shown = escape(f"{self._stage}: {text}")
        self._bar.update(self._task, description=shown, completed=self._index + (done or 0.0))

    def finished(self, name: str, status: str, seconds: float) -> None:
        """Print a line for the stage."""
        if status == "failed":
            return  # the error says so
        colour = {"done": "green", "cached": "cyan"}.get(status, "yellow")
        self._lines.print(f"  [{colour}]{status:8}[/] {name:12} {seconds:7.2f} s", highlight=False)

    def warn(self, text: str) -> None:
        """Print a warning."""
        self._console.print(f"qnnc: warning: {text}", markup=False, highlight=False, soft_wrap=True)


class LineProgress(_Bar):
    """Many pieces of work that run in parallel: a bar or, where standard error is not a terminal,
    a line on standard output for each piece done."""

    def __init__(self, *, lines: bool = True) -> None:
        super().__init__(
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.description}"),
        )
        self._done, self._timed = 0, False
        self._lines = lines and not self._console.is_terminal

    def notify(self, text: str, done: int, count: int, left: float | None = None) -> None:
        """What is being done, how many of how many pieces are done, and seconds left if known."""
        time = "" if left is None else f"; about {_duration(left)} left"
        self._bar.update(self._task, description=escape(text + time), completed=done, total=count)
        first = time and not self._timed
        if (done > self._done or first) and self._lines:
            print(f"{done} of {count} done; {text}{time}", flush=True)
        self._done, self._timed = max(done, self._done), self._timed or bool(time)


def _duration(seconds: float) -> str:
    """Such as "3 min" or "1 h 20 min"; no more digits than an estimate is worth."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
