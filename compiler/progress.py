# SPDX-License-Identifier: Apache-2.0
"""How long-running work reports what it is doing."""

from __future__ import annotations

from typing import Protocol


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
