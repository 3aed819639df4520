# SPDX-License-Identifier: Apache-2.0
"""The folder of a build: whose it is, what is in it, what a killed build left."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from qnnc.compiler.errors import WorkspaceError
from qnnc.compiler.files import remove, remove_leftovers, write_text
from qnnc.compiler.report import NodeOrigin, Report

MARKER = "build.json"
REPORT = "report.json"
MODEL = "model"
"""Folder of the quantized, the compiled and the dataflow graph."""
STOPPED = "stopped.onnx"
"""In it, the IR of a build that was told to stop behind a pass."""
_LOCK = ".lock"


class Workspace:
    """A build's folder. Nothing in it counts as done before report.json says so."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, name: str) -> Path:
        """A file or folder of the build."""
        return self.folder / name

    @contextmanager
    def claimed(self, settings: dict[str, Any], products: Iterable[str] = ()) -> Iterator[None]:
        """Make the folder this build's for as long as the block runs.

        What a killed build left half-written is removed, and so are the last report and the last
        build's products.

        Args:
            settings: what the build is made with.
            products: files and folders that stages leave.

        Raises:
            WorkspaceError: the folder cannot be written, holds something else, or another
                build is at work in it.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            foreign = [p for p in self.folder.iterdir() if p.name != _LOCK]
        except OSError as error:
            raise WorkspaceError(
                f"cannot write to {self.folder}: {error.strerror or error}"
            ) from error
        leftover = all(p.name.startswith(".partial-") for p in foreign)
        if not leftover and not self.path(MARKER).is_file():
            raise WorkspaceError(
                f"{self.folder} is not empty and no build of qnnc; choose another --out folder"
            )
        with self._locked():
            remove_leftovers(self.folder)
            remove(self.path(REPORT), *(self.path(name) for name in products))
            write_text(self.path(MARKER), json.dumps(settings, indent=2) + "\n")
            yield

    @contextmanager
    def _locked(self) -> Iterator[None]:
        path = self.path(_LOCK)
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise WorkspaceError(f"cannot write {path}: {error.strerror or error}") from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(handle)
            raise WorkspaceError(f"another build is at work in {self.folder}") from error
        try:
            yield
        finally:
            os.close(handle)

    def provenance(self) -> tuple[list[NodeOrigin], str]:
        """Where the nodes of the build's model went, and the error of a failed build.

        Raises:
            WorkspaceError: there is no build, or its report is damaged.
        """
        self.settings()
        try:
            text = self.path(REPORT).read_text(encoding="utf-8")
            report = Report.model_validate_json(text)
        except (OSError, ValueError) as error:
            raise WorkspaceError(
                f"{self.path(REPORT)} is damaged or of another version; build again"
            ) from error
        return report.provenance, report.error

    def settings(self) -> dict[str, Any]:
        """What the build in this folder was made with.

        Raises:
            WorkspaceError: there is no build, or it was broken off.
        """
        try:
            loaded = json.loads(self.path(MARKER).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise WorkspaceError(f"{self.folder} is no build of qnnc") from error
        if not isinstance(loaded, dict):
            raise WorkspaceError(f"{self.folder} is no build of qnnc")
        if not self.path(REPORT).is_file():
            raise WorkspaceError(
                f"the build in {self.folder} is not finished or was broken off; build again"
            )
        return loaded
