# SPDX-License-Identifier: Apache-2.0
"""Progress over many pieces of work that are done at once."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn


class LineProgress:
    """A bar on a terminal's standard error; where that is none, a line for each piece done."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._bar = Progress(
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.description}"),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task("starting", total=None)
        self._done = 0

    def __enter__(self) -> LineProgress:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def told(self, text: str, done: int, count: int) -> None:
        """What is being done, and how many of how many pieces are."""
        self._bar.update(self._task, description=escape(text), completed=done, total=count)
        if done > self._done and not self._console.is_terminal:
            print(f"{done} of {count} done; {text}", flush=True)
        self._done = max(done, self._done)
