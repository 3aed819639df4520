# SPDX-License-Identifier: Apache-2.0
"""Which files of a folder are qnnc's: a manifest of what it wrote, with the hash of each file.

A file is qnnc's only if the manifest names it and its contents are still those that were written.
Everything else belongs to somebody else.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from qnnc.compiler.errors import WorkspaceError
from qnnc.compiler.files import write_text
from qnnc.compiler.folders.partial import LOCK, MARK, is_partial

MANIFEST = "manifest.json"
FORMAT = "qnnc manifest 1"
JOURNAL = ".swap.json"
"""What is left to do of a swap made file by file."""
NESTED = ("failed", "finn")
"""Folders within a build's that have a manifest of their own."""
EMPTY = "folder"
"""Stands for the hash of an empty folder."""


@dataclass(frozen=True)
class Manifest:
    """What qnnc wrote into a folder.

    Attributes:
        files: SHA-256 of each file by its path in the folder, with "/"; `EMPTY` for a folder that
            holds nothing.
    """

    files: Mapping[str, str]

    @classmethod
    def of(cls, folder: Path) -> Manifest:
        """Of everything that lies in a folder, but for its lock and a manifest of its own."""
        files: dict[str, str] = {}
        for path, entries in _walk(folder):
            inside = path.relative_to(folder).as_posix()
            if not entries and path != folder:
                files[inside] = EMPTY
            for entry in entries:
                name = (path / entry.name).relative_to(folder).as_posix()
                if not entry.is_dir(follow_symlinks=False) and name not in (MANIFEST, LOCK):
                    files[name] = digest(path / entry.name)
        return cls(files)

    @classmethod
    def read(cls, folder: Path) -> Manifest | None:
        """The manifest of a folder; None if there is none, or if it is not as qnnc wrote it."""
        try:
            found = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return None
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            return None
        files = found.get("files")
        if not isinstance(files, dict) or found.get("digest") != _digest_of(files):
            return None
        if not all(isinstance(hashed, str) and is_inside(name) for name, hashed in files.items()):
            return None
        return cls(files)

    def write(self, folder: Path) -> None:
        """Leave the manifest in its folder; raises WorkspaceError if it cannot be written."""
        whole = {"format": FORMAT, "digest": _digest_of(self.files), "files": self.files}
        write_text(folder / MANIFEST, json.dumps(whole, indent=1) + "\n")


@dataclass(frozen=True)
class Contents:
    """What lies in a folder, by whose it is; paths with "/".

    Attributes:
        known: the folder has a manifest.
        ours: hashes of the files that are as qnnc wrote them.
        changed: files that qnnc wrote and somebody has changed.
        foreign: what qnnc did not write; for a folder that is entirely foreign, the folder only.
    """

    known: bool
    ours: dict[str, str] = field(default_factory=dict)
    changed: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)


def contents(folder: Path) -> Contents:
    """Look through a folder, without following a link out of it.

    Raises:
        WorkspaceError: it cannot be read.
    """
    manifest = Manifest.read(folder)
    found = Contents(manifest is not None)
    files = {} if manifest is None else dict(manifest.files)
    control = {LOCK, JOURNAL} if manifest is None else {LOCK, JOURNAL, MANIFEST}
    for name in NESTED:
        nested = None if (folder / name).is_symlink() else Manifest.read(folder / name)
        if nested is not None:
            files |= {f"{name}/{inside}": hashed for inside, hashed in nested.files.items()}
            control |= {f"{name}/{MANIFEST}", f"{name}/{LOCK}"}
            for own in (MANIFEST, LOCK):
                if (folder / name / own).is_file():
                    found.ours[f"{name}/{own}"] = digest(folder / name / own)
    parents = {str(parent) for name in files for parent in PurePosixPath(name).parents}
    try:
        _sort(folder, "", files, control, parents, found)
    except OSError as error:
        raise WorkspaceError(f"cannot read {folder}: {error.strerror or error}") from error
    return found


def _sort(
    folder: Path,
    inside: str,
    files: Mapping[str, str],
    control: set[str],
    parents: set[str],
    found: Contents,
) -> None:
    with os.scandir(folder) as listing:
        entries = sorted(listing, key=lambda entry: entry.name)
    for entry in entries:
        name = f"{inside}{entry.name}"
        if name in control and (entry.name != LOCK or entry.stat().st_size == 0):
            continue
        if not inside and is_partial(Path(entry.path)):
            continue
        if name in files:
            same = digest(Path(entry.path)) == files[name]
            if same:
                found.ours[name] = files[name]
            else:
                found.changed.append(name)
        elif name in parents and entry.is_dir(follow_symlinks=False):
            _sort(Path(entry.path), f"{name}/", files, control, parents, found)
        else:
            found.foreign.append(name)


def is_inside(name: str) -> bool:
    """Whether a path of a manifest stays in its folder."""
    path = PurePosixPath(name)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts


def digest(path: Path) -> str:
    """SHA-256 of a file, or of where a link points to; `EMPTY` of an empty folder.

    Something else, such as a device, has a digest that nothing else has.

    Raises:
        WorkspaceError: the file cannot be read.
    """
    try:
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            return hashlib.sha256(b"link " + os.fsencode(os.readlink(path))).hexdigest()
        if stat.S_ISDIR(mode):
            return EMPTY if not any(path.iterdir()) else "a folder with contents"
        if not stat.S_ISREG(mode):
            return "not a file"
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise WorkspaceError(f"cannot read {path}: {error.strerror or error}") from error


def _walk(folder: Path) -> list[tuple[Path, list[os.DirEntry[str]]]]:
    found, todo = [], [folder]
    while todo:
        path = todo.pop()
        with os.scandir(path) as listing:
            entries = sorted((e for e in listing if e.name != MARK), key=lambda entry: entry.name)
        found.append((path, entries))
        todo += [path / e.name for e in entries if e.is_dir(follow_symlinks=False)]
    return found


def _digest_of(files: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()
