# SPDX-License-Identifier: Apache-2.0
"""Files that are either whole or absent."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from qnnc.compiler.errors import WorkspaceError

TEMPORARY_PREFIX = ".partial-"


def _explain(path: Path, error: OSError) -> WorkspaceError:
    return WorkspaceError(f"cannot write {path}: {error.strerror or error}")


def write_bytes(path: Path, data: bytes, *, mode: int | None = None) -> None:
    """Write a file by way of a temporary one beside it, so that a reader never sees a half.

    Args:
        mode: permissions, by default the usual ones.
    """
    temporary = path.with_name(f"{TEMPORARY_PREFIX}{os.getpid()}-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            temporary.chmod(mode)
        os.replace(temporary, path)
    except OSError as error:
        with suppress(OSError):  # where a file stands in for the folder, there is none to remove
            temporary.unlink()
        raise _explain(path, error) from error


def refuse_existing(path: Path, option: str, *, force: bool = False) -> None:
    """Raise WorkspaceError if a file that is to be written is there already.

    Args:
        option: that names it.
        force: let it be replaced, unless it is a folder.
    """
    if path.is_dir():
        raise WorkspaceError(f"{option} {path} is a folder; name a file")
    if os.path.lexists(path) and not force:
        raise WorkspaceError(
            f"{path} is there already; choose another {option}, or give --force to replace it"
        )


def write_text(path: Path, text: str) -> None:
    """`write_bytes` for text, UTF-8."""
    write_bytes(path, text.encode("utf-8"))


@contextmanager
def new_folder(path: Path, *, shared: bool = False) -> Iterator[Path]:
    """A folder to fill, which takes its place at `path` only if the block ends without error.

    Args:
        path: its place; what stood there before is replaced.
        shared: other processes may make the same folder with the same contents (a cache): one
            that is there already stays, and the new one is discarded.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        prefix = f"{TEMPORARY_PREFIX}{path.name}-"
        temporary = Path(tempfile.mkdtemp(prefix=prefix, dir=path.parent))
        temporary.chmod(0o777 & ~_umask())
    except OSError as error:
        raise _explain(path, error) from error
    try:
        yield temporary
        if not shared and path.exists():
            old = temporary.with_name(temporary.name + ".old")
            os.replace(path, old)
            os.replace(temporary, path)
            shutil.rmtree(old, ignore_errors=True)
        elif not path.exists():
            os.replace(temporary, path)
    except OSError as error:
        if not (shared and path.is_dir()):
            raise _explain(path, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def publish_folder(source: Path, target: Path) -> None:
    """Move a finished folder to a shared place on the same file system, where another process may
    have put the same one meanwhile."""
    try:
        os.replace(source, target)
    except OSError as error:
        if not target.is_dir():
            raise _explain(target, error) from error


def publish_program(source: Path, target: Path) -> None:
    """Copy a finished program to a shared place, whole or not at all."""
    write_bytes(target, source.read_bytes(), mode=0o755)


def remove(*paths: Path) -> None:
    """Delete files, links and whole folders; those that are not there do not matter.

    Raises:
        WorkspaceError: one cannot be deleted.
    """
    for path in paths:
        try:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        except OSError as error:
            raise WorkspaceError(f"cannot delete {path}: {error.strerror or error}") from error
