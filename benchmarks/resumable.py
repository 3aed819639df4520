# SPDX-License-Identifier: Apache-2.0
"""Results of many small jobs in one file of JSON lines, which several processes may add to."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

Result = dict[str, Any]
KINDS = (".py", ".sv", ".cpp", ".h", ".j2")


def fingerprint(root: Path, sources: Sequence[str]) -> str:
    """A digest of everything that results depend on: files, and folders of sources."""
    digest = hashlib.sha256()
    for source in sources:
        place = root / source
        for path in [place] if place.is_file() else sorted(place.rglob("*")):
            if path.suffix in KINDS:
                digest.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:16]


class Ledger:
    """The file. A line is a result, or says who is at work on which jobs.

    Args:
        version: only lines of the same version count.
    """

    def __init__(self, path: Path, version: str) -> None:
        self.path = path
        self.version = version
        path.parent.mkdir(parents=True, exist_ok=True)

    def results(self, what: str) -> dict[int, Result]:
        """Results of a kind of job, by its number."""
        with self._locked() as file:
            return self._read(file, what)[0]

    def count(self, what: str, wanted: Callable[[str, Result], bool]) -> int:
        """How many results are wanted ones."""
        return sum(wanted(what, result) for result in self.results(what).values())

    def claim(self, what: str, numbers: Sequence[int], most: int) -> list[int]:
        """Some of the jobs that nobody has done or is at work on."""
        with self._locked() as file:
            done, taken = self._read(file, what)
            mine = []
            for number in numbers:
                if number not in done and number not in taken:
                    mine.append(number)
                    if len(mine) == most:
                        break
            if mine:
                self._write(file, {"what": what, "claims": mine, "process": os.getpid()})
            return mine

    def add(self, what: str, number: int, result: Result) -> None:
        """Write a result."""
        with self._locked() as file:
            self._write(file, {"what": what, "number": number, **result})

    def forget(self, what: str, unwanted: Callable[[Result], bool]) -> None:
        """Take results back, so that their jobs are done again."""
        for number, result in self.results(what).items():
            if unwanted(result):
                with self._locked() as file:
                    self._write(file, {"what": what, "again": number})

    @contextmanager
    def _locked(self) -> Iterator[IO[str]]:
        with self.path.open("a+", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file

    def _write(self, file: IO[str], line: dict[str, Any]) -> None:
        file.write(json.dumps({"version": self.version, **line}) + "\n")
        file.flush()

    def _read(self, file: IO[str], what: str) -> tuple[dict[int, Result], set[int]]:
        file.seek(0)
        done: dict[int, Result] = {}
        taken: set[int] = set()
        for text in file:
            try:
                line = json.loads(text)
            except ValueError:  # cut off when its writer was killed
                continue
            if line.get("version") != self.version or line.get("what") != what:
                continue
            if "again" in line:
                done.pop(line["again"], None)
                taken.discard(line["again"])
            elif "claims" not in line:
                done[line["number"]] = line
            elif _alive(line["process"]):
                taken.update(line["claims"])
        return done, taken


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
