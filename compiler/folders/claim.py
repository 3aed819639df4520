# SPDX-License-Identifier: Apache-2.0
"""Claiming a folder for as long as it takes to fill its replacement."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from qnnc.compiler.errors import WorkspaceError
from qnnc.compiler.files import TEMPORARY_PREFIX
from qnnc.compiler.folders.manifest import EMPTY, NESTED, Manifest, contents
from qnnc.compiler.folders.partial import LOCK, discard, is_partial, locked, partial_folder
from qnnc.compiler.folders.swap import clear, named, publish, recover


@contextmanager
def claimed(
    home: Path,
    products: Collection[str],
    *,
    force: bool = False,
    inputs: Iterable[Path] = (),
) -> Iterator[Path]:
    """Claim a folder and yield an empty one, to be filled and given to `publish`.

    What a killed process left of such a folder is deleted. Nothing else is changed.

    Args:
        home: new, empty, or one that qnnc has written; a path without links.
        products: names in it that are going to be written.
        force: take a folder that holds other things, too.
        inputs: files that are going to be read.

    Raises:
        WorkspaceError: it holds something else, or an input that would be replaced; it cannot be
            written; another process is at work in it.
    """
    made = _make(home)
    try:
        _check(home, products, force, inputs)
        with locked(home, f"another build is at work in {home}"):
            for folder in (home, *(home / name for name in NESTED)):
                recover(folder)
            _clean(home)
            _check(home, products, force, inputs)
            with partial_folder(home, inside=_must_be_inside(home)) as staging:
                yield staging
    finally:
        _unmake(home, made)


@contextmanager
def owned_folder(
    home: Path, notify: Callable[[str], None] = lambda text: None, *, force: bool = False
) -> Iterator[Path]:
    """A folder to fill that takes its place at `home` if the block ends without an error.

    Raises:
        WorkspaceError: as `claimed` and `publish` do.
    """
    home = Path(os.path.realpath(home))
    with claimed(home, (), force=force) as staging:
        yield staging
        publish(staging, home, notify, force=force)


def _check(home: Path, products: Collection[str], force: bool, inputs: Iterable[Path]) -> None:
    """Raise WorkspaceError if something would be lost."""
    found = contents(home)
    obstacles = found.changed + [name for name in found.foreign if name in products]
    if not force:
        if not found.known and found.foreign:
            raise WorkspaceError(
                f"{home} holds files that are not qnnc's ({_short(found.foreign)}); choose "
                "another folder, or give --force to replace those that are in the way"
            )
        if obstacles:
            raise WorkspaceError(
                f"{named(home, obstacles)}: not qnnc's, or changed since; choose another "
                "folder, or give --force to replace them"
            )
    for path in inputs:
        real = Path(os.path.realpath(path))
        if home not in real.parents:
            continue
        name = real.relative_to(home).as_posix()
        old = {*found.ours, *obstacles}
        if name in old or any(other.startswith(f"{name}/") for other in old):
            raise WorkspaceError(
                f"{path} is part of the build in {home}, which this one would replace; copy it "
                "to another place or choose another --out folder"
            )


def copy_own(home: Path, target: Path) -> None:
    """Copy what qnnc has written into a folder to another one; what is there already stays.

    Raises:
        WorkspaceError: a file cannot be copied.
    """
    for name, hashed in contents(home).ours.items():
        place = target / name
        if name.split("/")[0] in NESTED or os.path.lexists(place):
            continue
        try:
            if hashed == EMPTY:
                place.mkdir(parents=True)
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(home / name, place, follow_symlinks=False)
        except OSError as error:
            raise WorkspaceError(f"cannot write {place}: {error.strerror or error}") from error


def refuse_foreign(home: Path, *, force: bool = False) -> None:
    """Raise WorkspaceError now if `owned_folder` would later."""
    home = Path(os.path.realpath(home))
    if home.is_dir():
        _check(home, (), force, ())


def _short(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")


def _must_be_inside(home: Path) -> bool:
    """Whether the new folder cannot be made beside the old one."""
    parent = home.parent
    return (
        os.path.ismount(home)
        or not os.access(parent, os.W_OK | os.X_OK)
        or parent.stat().st_dev != home.stat().st_dev
    )


def _clean(home: Path) -> None:
    """Delete what killed processes left of folders for this place."""
    prefix = f"{TEMPORARY_PREFIX}{home.name[:40]}-"
    found = [p for p in home.iterdir() if is_partial(p)]
    with suppress(OSError):  # the folder above may not be readable
        found += [p for p in home.parent.iterdir() if p.name.startswith(prefix)]
    for path in found:
        if path.is_symlink() or not (is_partial(path) or Manifest.read(path) is not None):
            continue
        with suppress(WorkspaceError), locked(path, "in use"):
            if is_partial(path):
                discard(path)
            else:
                clear(path)


def _make(home: Path) -> list[Path]:
    """Make a folder and those above it; returns which were made, from the bottom."""
    missing = []
    for path in (home, *home.parents):
        if os.path.lexists(path):
            break
        missing.append(path)
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WorkspaceError(f"cannot write to {home}: {error.strerror or error}") from error
    return missing


def _unmake(home: Path, made: list[Path]) -> None:
    """Remove a folder again that was made for nothing."""
    with suppress(OSError):
        if made and all(entry.name == LOCK for entry in home.iterdir()):
            (home / LOCK).unlink(missing_ok=True)
            for path in made:
                path.rmdir()
