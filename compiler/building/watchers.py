# SPDX-License-Identifier: Apache-2.0
"""Watching passes at work: the IR after each to a file, or to a screen as text."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import onnx_ir as ir

from qnnc.compiler.errors import WorkspaceError
from qnnc.compiler.ir.saved import refuse_to_overwrite, save_ir
from qnnc.compiler.ir.text import model_text
from qnnc.compiler.passes.base import Pass

ALL, CHANGED = "all", "changed"


NUMBERED = re.compile(r"\d\d-.+\.onnx")


class IrSaver:
    """Writes the IR after each pass: 00-import.onnx, 01-check-model.onnx, ...

    Raises:
        WorkspaceError: the folder has files of such names that are not qnnc's.
    """

    def __init__(self, folder: Path, *, force: bool = False) -> None:
        self.folder = folder
        self.force = force
        if folder.is_dir():
            for path in sorted(folder.iterdir()):
                if NUMBERED.fullmatch(path.name):
                    refuse_to_overwrite(path, "--save-ir", force=force)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise WorkspaceError(f"cannot write {folder}: {error.strerror or error}") from error

    def start(self, model: ir.Model) -> None:
        """The model as imported, before any pass."""
        self._save(model, "00-import.onnx", [])

    def after(self, model: ir.Model, step: Pass, changed: bool, done: Sequence[str]) -> None:
        """Write the IR to the next file."""
        self._save(model, f"{len(done):02d}-{step.name}.onnx", list(done))

    def _save(self, model: ir.Model, name: str, done: list[str]) -> None:
        refuse_to_overwrite(self.folder / name, "--save-ir", force=self.force)
        save_ir(model, self.folder / name, done)


class Printer:
    """Prints the IR after a pass, after all, or after those that changed it.

    Attributes:
        wanted: a pass's name, "all" or "changed".
        write: takes the text.
    """

    def __init__(self, wanted: str, write: Callable[[str], None]) -> None:
        self.wanted = wanted
        self.write = write

    def after(self, model: ir.Model, step: Pass, changed: bool, done: Sequence[str]) -> None:
        """Print the IR if that is wanted after this pass."""
        if self.wanted in (ALL, step.name) or (self.wanted == CHANGED and changed):
            self.write(f"// after pass {len(done)}, {step.name}\n{model_text(model)}\n")
