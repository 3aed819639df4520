# SPDX-License-Identifier: Apache-2.0
"""The folder of a build: filled next to its place, and moved there when the build has ended.

Until then the build that was there before stays whole; a finished one is replaced only by another
finished one. What a failed build has to show lies in the folder, or in `failed` within it where the
folder holds a finished build.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from qnnc.compiler.errors import WorkspaceError
from qnnc.compiler.files import write_text
from qnnc.compiler.folders import Manifest, claimed, publish, settle
from qnnc.compiler.report import NodeOrigin, Report

MARKER = "build.json"
REPORT = "report.json"
MODEL = "model"
"""Folder of the quantized, the compiled and the dataflow graph."""
STOPPED = "stopped.onnx"
"""In it, the IR of a build that stopped after a pass on request."""
FAILED = "failed"
"""In the folder of a finished build, what a later one has left that failed."""


class Workspace:
    """A build's folder.

    Attributes:
        home: where it is.
        folder: where files are written: `home`, or while it is claimed, a folder that is to take
            its place.
    """

    def __init__(self, folder: Path) -> None:
        self.home = folder
        self.folder = folder
        self._force = False

    def path(self, name: str) -> Path:
        """A file or folder of the build."""
        return self.folder / name

    @contextmanager
    def claimed(
        self,
        settings: dict[str, Any],
        products: Iterable[str] = (),
        *,
        force: bool = False,
        inputs: Iterable[Path] = (),
    ) -> Iterator[None]:
        """Make the folder this build's for as long as the block runs. Nothing in it changes
        before `finish` or `fail`.

        Args:
            settings: what the build is made with.
            products: files and folders that stages leave.
            force: replace what is not qnnc's, too, where it is in the way.
            inputs: files that the build reads.

        Raises:
            WorkspaceError: the folder cannot be written, holds something else, or another
                build is at work in it.
        """
        home = Path(os.path.realpath(self.home))
        names = {MARKER, REPORT, *products}
        with claimed(home, names, force=force, inputs=inputs) as staging:
            self.folder, self._force = staging, force
            try:
                write_text(self.path(MARKER), json.dumps(settings, indent=2) + "\n")
                yield
            finally:
                self.folder = self.home

    def finish(self, notify: Callable[[str], None]) -> None:
        """Put a finished build in the place of what was there before.

        Args:
            notify: called with what is replaced that is not qnnc's.

        Raises:
            WorkspaceError: something new is in the way, or the folder cannot be written.
        """
        publish(self.folder, Path(os.path.realpath(self.home)), notify, force=self._force)

    def fail(self, notify: Callable[[str], None]) -> Path:
        """Keep what a failed build has to show; returns where.

        Raises:
            WorkspaceError: as `finish` does.
        """
        home = Path(os.path.realpath(self.home))
        if not is_finished(home):
            publish(self.folder, home, notify, force=self._force)
            return self.home
        publish(self.folder, home / FAILED, notify, force=self._force)
        return self.home / FAILED

    @contextmanager
    def reading(self) -> Iterator[dict[str, Any]]:
        """Read the build in this folder: its settings. A swap that was broken off is made whole
        first.

        Raises:
            WorkspaceError: there is no build, it failed, or another one took its place meanwhile.
        """
        settle(self.folder)
        settings, before = self.settings(), self._state()
        try:
            yield settings
        except WorkspaceError:
            self._unchanged(before)
            raise
        self._unchanged(before)

    def _state(self) -> tuple[int, int] | None:
        try:
            found = self.path(REPORT).stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns

    def _unchanged(self, before: tuple[int, int] | None) -> None:
        if self._state() != before:
            raise WorkspaceError(
                f"the build in {self.folder} was replaced while it was read; run the command again"
            )

    def provenance(self) -> tuple[list[NodeOrigin], str]:
        """Where the nodes of the build's model went, and the error of a failed build.

        Raises:
            WorkspaceError: there is no build, or its report is damaged.
        """
        with self.reading():
            report = read_report(self.path(REPORT))
        return report.provenance, report.error

    def settings(self) -> dict[str, Any]:
        """What the build in this folder was made with.

        Raises:
            WorkspaceError: there is no build, or it was broken off.
        """
        try:
            loaded = json.loads(self.path(MARKER).read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise WorkspaceError(f"{self.folder} is not a build of qnnc") from error
        if not isinstance(loaded, dict) or not isinstance(loaded.get("options"), dict):
            raise WorkspaceError(f"{self.folder} is not a build of qnnc")
        if not self.path(REPORT).is_file():
            raise WorkspaceError(
                f"the build in {self.folder} is not finished or was broken off; build again"
            )
        return loaded


def read_report(path: Path) -> Report:
    """A report, read back; raises WorkspaceError if it is not one."""
    try:
        return Report.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise WorkspaceError(f"{path} is damaged or of another version; build again") from error


def is_finished(folder: Path) -> bool:
    """Whether a folder holds a build that has succeeded."""
    if Manifest.read(folder) is None:
        return False
    try:
        return read_report(folder / REPORT).status == "ok"
    except WorkspaceError:
        return False
