# SPDX-License-Identifier: Apache-2.0
"""A finished folder takes its place: at once, or file by file with a journal.

At once means that the new folder and the old one change places in one system call. File by file is
for folders that hold something that is not qnnc's, which then stays where it is, and for those that
cannot be moved: where this process stands, where a file system is mounted. A process that is killed
then leaves its journal, and whoever opens the folder next continues with it to its end.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

from qnnc.compiler.errors import WorkspaceError
from qnnc.compiler.files import remove, write_text
from qnnc.compiler.folders.exchange import exchange
from qnnc.compiler.folders.manifest import (
    EMPTY,
    JOURNAL,
    MANIFEST,
    NESTED,
    Contents,
    Manifest,
    contents,
    digest,
    is_inside,
)
from qnnc.compiler.folders.partial import LOCK, MARK, discard, is_partial, locked, mark

FORMAT = "qnnc swap 1"
PATIENCE = 10.0
"""Seconds to wait for another process that is swapping."""


def in_the_way(home: Path, found: Contents, names: Collection[str]) -> list[str]:
    """What is not qnnc's where new files are to stand, and whatever of qnnc's was changed.

    Args:
        found: what is in `home`.
        names: paths of the new files.
    """
    parents = {str(p) for name in names for p in PurePosixPath(name).parents}
    way = list(found.changed)
    todo = list(reversed(found.foreign))
    while todo:
        name = todo.pop()
        path = home / name
        above = PurePosixPath(name).parents
        if name in names or any(str(parent) in names for parent in above):
            way.append(name)
        elif name in parents and path.is_dir() and not path.is_symlink():
            todo += [f"{name}/{entry}" for entry in sorted(os.listdir(path), reverse=True)]
        elif name in parents:
            way.append(name)
    return way


@dataclass(frozen=True)
class _Journal:
    """What is to be done, so that it can be done again.

    Attributes:
        staging: the new folder, from the place that it is for.
        forced: what is not qnnc's and is to be deleted anyway.
        gone: files of the old folder that the new one does not have, with their hashes.
        new: files of the new folder.
    """

    staging: str
    forced: list[str]
    gone: dict[str, str]
    new: dict[str, str]


def publish(
    staging: Path, home: Path, notify: Callable[[str], None], *, force: bool = False
) -> None:
    """Put what lies in `staging` in place of what qnnc has in `home`. Its lock must be held.

    Args:
        notify: called with what `force` deletes.
        force: delete what is in the way, too.

    Raises:
        WorkspaceError: something that is not qnnc's is in the way; `staging` is then kept.
    """
    new = Manifest.of(staging)
    new.write(staging)
    if not home.exists():
        _rename(staging, home)
        return
    found = contents(home)
    obstacles = in_the_way(home, found, {*new.files} if found.known else {*new.files, MANIFEST})
    if obstacles and not force:
        kept = _keep(staging, home)
        raise WorkspaceError(
            f"{home / obstacles[0]} is not as qnnc wrote it and is not overwritten; the new build "
            f"is in {kept}"
        )
    if obstacles:
        notify(f"--force replaces {named(home, obstacles)}, not qnnc's or changed since")
    if not found.foreign and not found.changed and _movable(home):
        (staging / MARK).unlink()
        with suppress(OSError):
            exchange(staging, home)
            clear(staging)
            return
        mark(staging, home)
    gone = {name: hashed for name, hashed in found.ours.items() if name not in new.files}
    where = os.path.relpath(staging, home)
    journal = _Journal(where, obstacles, gone, dict(new.files))
    text = json.dumps({"format": FORMAT, **asdict(journal)})
    write_text(staging / JOURNAL, text)
    os.replace(staging / JOURNAL, home / JOURNAL)  # so that nothing half written is left in `home`
    _apply(home, journal)


def named(home: Path, names: list[str]) -> str:
    """Files in a message: the first few."""
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return f"{', '.join(str(home / name) for name in names[:4])}{more}"


def settle(home: Path) -> None:
    """Go on with a swap that a killed process has left; wait for one that is being made.

    Raises:
        WorkspaceError: the folder cannot be read or written.
    """
    for folder in (home, *(home / name for name in NESTED)):
        if (folder / JOURNAL).is_file():
            with locked(home, f"another build is at work in {home}", wait=PATIENCE):
                recover(folder)


def recover(home: Path) -> None:
    """Go on with a swap that a killed process has left. The folder's lock must be held.

    Raises:
        WorkspaceError: the journal is not qnnc's, or the folder cannot be written.
    """
    path = home / JOURNAL
    if not path.is_file():
        return
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found.pop("format") != FORMAT:
            return
        journal = _Journal(**found)
        inside = [*journal.forced, *journal.gone, *journal.new]
        safe = all(is_inside(name) for name in inside)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise WorkspaceError(f"{path} is not a journal of qnnc's; delete it") from error
    staging = Path(os.path.normpath(home / journal.staging))
    near = staging.parent in (home, home.parent, home.parent.parent)
    if not safe or not near or (staging.exists() and not is_partial(staging)):
        raise WorkspaceError(f"{path} is not a journal of qnnc's; delete it")
    _apply(home, journal)


def _apply(home: Path, journal: _Journal) -> None:
    """Do what a journal says, or what is left of it: every step may have been done before."""
    staging = Path(os.path.normpath(home / journal.staging))
    try:
        if staging.is_dir():
            remove(*(home / name for name in journal.forced))
            for name, hashed in journal.gone.items():
                _forget(home, name, hashed)
            for name, hashed in journal.new.items():
                _put(staging / name, home / name, hashed)
            _put(staging / MANIFEST, home / MANIFEST, "")
        (home / JOURNAL).unlink()
    except OSError as error:
        raise WorkspaceError(f"cannot write to {home}: {error.strerror or error}") from error
    if is_partial(staging):
        discard(staging)


def _put(source: Path, target: Path, hashed: str) -> None:
    if hashed == EMPTY:
        target.mkdir(parents=True, exist_ok=True)
    elif os.path.lexists(source):
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(source, target)


def _forget(home: Path, name: str, hashed: str) -> None:
    """Delete a file if it is still as qnnc wrote it, and folders that are empty without it."""
    path = home / name
    parents = [home / parent for parent in list(PurePosixPath(name).parents)[:-1]]
    if any(parent.is_symlink() for parent in parents):
        return
    if os.path.lexists(path) and digest(path) == hashed:
        path.rmdir() if hashed == EMPTY else path.unlink()
    with suppress(OSError):
        for parent in parents:
            parent.rmdir()


def _movable(home: Path) -> bool:
    """Whether the folder itself may change places with another one."""
    try:
        here = Path.cwd()
    except OSError:  # it was deleted
        return not os.path.ismount(home)
    return not os.path.ismount(home) and here != home and home not in here.parents


def clear(old: Path) -> None:
    """Delete what was the old build: its own files, by its manifest."""
    found, manifest = contents(old), Manifest.read(old)
    # those that are gone already, too: a killed process may have left their folders
    for name, hashed in {**(manifest.files if manifest else {}), **found.ours}.items():
        _forget(old, name, hashed)
    with suppress(OSError):
        for name in NESTED:
            (old / name / LOCK).unlink(missing_ok=True)
            with suppress(OSError):
                (old / name).rmdir()
        if not found.foreign and not found.changed:
            (old / MANIFEST).unlink(missing_ok=True)
            (old / LOCK).unlink(missing_ok=True)
            old.rmdir()


def _rename(staging: Path, home: Path) -> None:
    try:
        for name in (MARK, LOCK):
            (staging / name).unlink(missing_ok=True)
        os.rename(staging, home)
    except OSError as error:
        raise WorkspaceError(f"cannot write {home}: {error.strerror or error}") from error


def _keep(staging: Path, home: Path) -> Path:
    """Give a build that cannot take its place one of its own."""
    number = 1
    while os.path.lexists(kept := home.with_name(f"{home.name}-new{number}")):
        number += 1
    _rename(staging, kept)
    return kept
