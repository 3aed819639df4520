# SPDX-License-Identifier: Apache-2.0
"""How long-running work reports what it is doing."""

from __future__ import annotations

import html
import sys
from typing import Any, Protocol


class Progress(Protocol):
    """Notified of stages as they come."""

    def stage(self, name: str, index: int, count: int) -> None:
        """A stage begins: number `index` (from 0) of `count`."""
        ...

    def detail(self, text: str, done: float | None = None) -> None:
        """What is being done within the stage, and the share of it that is done."""
        ...

    def finished(self, name: str, status: str, seconds: float) -> None:
        """The stage has ended."""
        ...

    def warn(self, text: str) -> None:
        """Something that the user should know, and no reason to stop."""
        ...


class Silent:
    """Reports nothing."""

    def stage(self, name: str, index: int, count: int) -> None:
        """Ignore it."""

    def detail(self, text: str, done: float | None = None) -> None:
        """Ignore it."""

    def finished(self, name: str, status: str, seconds: float) -> None:
        """Ignore it."""

    def warn(self, text: str) -> None:
        """Ignore it."""


def usual_progress() -> Progress:
    """A bar in a notebook, nothing elsewhere."""
    return NotebookProgress() if in_notebook() else Silent()


def in_notebook() -> bool:
    """The program runs in a kernel of Jupyter."""
    module = sys.modules.get("IPython")
    shell = module.get_ipython() if module is not None else None
    return shell is not None and hasattr(shell, "kernel")


class NotebookProgress:
    """One line that changes in place: a bar, the stage, what it does."""

    def __init__(self) -> None:
        self._handle: Any = None
        self._name, self._index, self._count = "", 0, 1

    def stage(self, name: str, index: int, count: int) -> None:
        """The bar moves to where the stage begins."""
        self._name, self._index, self._count = name, index, count
        self._show(name, index)

    def detail(self, text: str, done: float | None = None) -> None:
        """The text follows the stage's name."""
        self._show(f"{self._name}: {text}", self._index + (done or 0.0))

    def finished(self, name: str, status: str, seconds: float) -> None:
        """The bar moves to where the stage ends."""
        self._show(f"{name}: {status}", self._index + 1)

    def warn(self, text: str) -> None:
        """A line of its own, which stays."""
        from IPython.display import display

        line = f"qnnc: warning: {text}"
        display({"text/html": f"<p>{html.escape(line)}</p>", "text/plain": line}, raw=True)

    def _show(self, text: str, done: float) -> None:
        from IPython.display import display

        bar = f'<progress value="{done:.3f}" max="{self._count}"></progress>'
        line = {"text/html": f"{bar} {html.escape(text)}", "text/plain": text}
        if self._handle is None:
            self._handle = display(line, raw=True, display_id=True)
        else:
            self._handle.update(line, raw=True)
