# SPDX-License-Identifier: Apache-2.0
"""The files of a study's report: written whole, and never over something else.

A record in the study's folder holds their hashes. A file of a report's name that the record does
not know, or that has changed since, is not qnnc's. The record is there before the first network is
trained, and names the new files before they take the old ones' places, so that a study that is
killed at any moment can continue.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from qnnc.compiler.errors import WorkspaceError
from qnnc.compiler.files import TEMPORARY_PREFIX, remove, write_text
from qnnc.compiler.folders.manifest import digest

PAGE, TABLE, SEARCHED, FIGURES = "study.html", "results.csv", "search.csv", "figures"
DRAWN = ("figure-5-error", "figure-6-resources", "figure-7-radar", "fit-map", "pareto")
REPORT = (
    PAGE,
    TABLE,
    SEARCHED,
    *(f"{FIGURES}/{name}.{kind}" for name in DRAWN for kind in ("svg", "png")),
)
WORK = ("trials.db", "trials", "test-images.npy", "test-labels.npy")
"""What a study works with, in its own folder."""
RECORD = ".study.json"
FORMAT = "qnnc study 1"


def claim(out: Path, *, force: bool = False) -> None:
    """Make a folder a study's, or raise WorkspaceError if a file that is not qnnc's is in the way.

    Args:
        out: the study's folder, which is there.
        force: take it anyway; the report replaces what is in its way.
    """
    known = _read(out)
    if os.path.islink(out / FIGURES):
        raise WorkspaceError(f"{out / FIGURES} is a link; a study writes into its own folder only")
    obstacles = _in_the_way(out, known)
    if known is None:
        obstacles += [name for name in WORK if os.path.lexists(out / name)]
        if os.path.lexists(out / RECORD):
            obstacles.append(RECORD)
    if obstacles and not force:
        raise _refusal(out, obstacles)
    if known is None:
        _write(out, {})


def publish(out: Path, write: Callable[[Path], object], *, force: bool = False) -> None:
    """Put a report in its place.

    Args:
        out: the study's folder, claimed.
        write: writes the report into the folder that it is given.
        force: replace files that are not qnnc's.

    Raises:
        WorkspaceError: something that is not qnnc's is in the way by now; nothing was replaced.
    """
    new = out / f"{TEMPORARY_PREFIX}report"
    remove(new)  # what a killed one has left
    try:
        new.mkdir()
        write(new)
        known = _read(out) or {}
        obstacles = _in_the_way(out, known)
        if obstacles and not force:
            raise _refusal(out, obstacles)
        written = {name: [digest(new / name)] for name in REPORT if (new / name).is_file()}
        _write(out, {n: [*known.get(n, []), *written.get(n, [])] for n in {*known, *written}})
        remove(*(out / name for name in obstacles))
        (out / FIGURES).mkdir(exist_ok=True)
        for name in written:
            os.replace(new / name, out / name)
        _write(out, {**known, **written})
    except OSError as error:
        raise WorkspaceError(f"cannot write to {out}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _in_the_way(out: Path, known: Mapping[str, list[str]] | None) -> list[str]:
    """Names of a report's files that are not as qnnc wrote them."""
    known = known or {}
    if os.path.lexists(out / FIGURES) and not (out / FIGURES).is_dir():
        return [FIGURES]
    return [
        name
        for name in REPORT
        if os.path.lexists(out / name) and digest(out / name) not in known.get(name, [])
    ]


def _refusal(out: Path, names: list[str]) -> WorkspaceError:
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return WorkspaceError(
        f"{out / names[0]}{more}: not qnnc's, or changed since; choose another --out, or give "
        "--force to replace what is in the way"
    )


def _read(out: Path) -> dict[str, list[str]] | None:
    """Hashes by name; None if there is no record, or not one of qnnc's."""
    try:
        found = json.loads((out / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    files = found.get("files") if isinstance(found, dict) else None
    if not isinstance(files, dict) or found.get("format") != FORMAT:
        return None
    if not all(isinstance(hashes, list) for hashes in files.values()):
        return None
    return files


def _write(out: Path, files: Mapping[str, list[str]]) -> None:
    whole = {"format": FORMAT, "files": dict(sorted(files.items()))}
    write_text(out / RECORD, json.dumps(whole, indent=1) + "\n")
