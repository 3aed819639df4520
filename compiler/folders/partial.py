# SPDX-License-Identifier: Apache-2.0
"""A folder that is being filled, and what a killed process leaves of it."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from qnnc.compiler.errors import WorkspaceError
from qnnc.compiler.files import TEMPORARY_PREFIX

LOCK = ".lock"
MARK = ".qnnc-partial"
"""Lies in a folder that is being filled and names the folder that it is for."""
MARK_FORMAT = "qnnc partial 1"


@contextmanager
def locked(folder: Path, busy: str, wait: float = 0.0) -> Iterator[None]:
    """Hold a folder's lock.

    Args:
        busy: what to say if another process holds it.
        wait: seconds to wait for that process.

    Raises:
        WorkspaceError: it does, or the lock cannot be made.
    """
    path, end = folder / LOCK, time.monotonic() + wait
    while True:
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        except OSError as error:
            raise WorkspaceError(f"cannot write {path}: {error.strerror or error}") from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(handle).st_ino == os.stat(path).st_ino:
                break  # else the folder was swapped since the file was opened
            os.close(handle)
        except OSError as error:
            os.close(handle)
            if time.monotonic() >= end:
                raise WorkspaceError(busy) from error
            time.sleep(0.05)
    try:
        yield
    finally:
        os.close(handle)


@contextmanager
def partial_folder(home: Path, *, inside: bool) -> Iterator[Path]:
    """An empty folder to fill for `home`, deleted at the end unless it was moved.

    Args:
        inside: make it in `home`, not beside it.

    Raises:
        WorkspaceError: it cannot be made.
    """
    parent = home if inside else home.parent
    try:
        prefix = f"{TEMPORARY_PREFIX}{home.name[:40]}-"
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        try:
            folder.chmod(home.stat().st_mode & 0o777)
            mark(folder, home)
        except OSError:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    except OSError as error:
        raise WorkspaceError(f"cannot write to {parent}: {error.strerror or error}") from error
    try:
        with locked(folder, f"{folder} is in use"):
            yield folder
    finally:
        if is_partial(folder):
            discard(folder)


def mark(folder: Path, home: Path) -> None:
    """Say in a folder what it is for."""
    text = json.dumps({"format": MARK_FORMAT, "for": home.name})
    (folder / MARK).write_text(text + "\n", encoding="utf-8")


def is_partial(path: Path) -> bool:
    """Whether something is a folder that is being filled, or what a killed process left of one."""
    if not path.name.startswith(TEMPORARY_PREFIX) or path.is_symlink() or not path.is_dir():
        return False
    try:
        if all(entry.name == LOCK for entry in path.iterdir()):
            return True
        found = json.loads((path / MARK).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and found.get("format") == MARK_FORMAT


def discard(folder: Path) -> None:
    """Delete a folder that was being filled; the mark goes last, so that it stays known."""
    with suppress(OSError):
        for path in list(folder.iterdir()):
            if path.name in (MARK, LOCK):
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink()
        for name in (MARK, LOCK):
            (folder / name).unlink(missing_ok=True)
        folder.rmdir()
