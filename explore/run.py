# SPDX-License-Identifier: Apache-2.0
"""A whole study: workers are started and watched, then tables and figures are made."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from qnnc.compiler.errors import OptionError, ToolError, WorkspaceError
from qnnc.explore.data import load_images
from qnnc.explore.remaining import Remaining
from qnnc.explore.report import files
from qnnc.explore.store import HEARTBEAT, Store, folder_of, local_storage
from qnnc.explore.study import Study
from qnnc.explore.worker import Job

LOCK = ".lock"
USUAL = ("data/mnist", "data/MNIST/raw", "data", "../shared/data/mnist")
"""Where MNIST is looked for if no folder is named."""

Notify = Callable[[str, int, int, float | None], None]
"""Called with what a worker is doing, how many networks are done, how many there are, and how many
seconds are left, None before that can be estimated."""


@dataclass(frozen=True)
class StudyRun:
    """How to run a study.

    Attributes:
        study: what to do.
        out: its folder.
        data: folder of MNIST's files, or None for the usual places.
        storage: address of a database, or empty for a file in `out`.
        jobs: worker processes.
        heartbeat: seconds between signs of life of a worker.
        force: take a folder in which files that are not qnnc's are in the report's way.
    """

    study: Study
    out: Path
    data: Path | None = None
    storage: str = ""
    jobs: int = os.cpu_count() or 1
    heartbeat: int = HEARTBEAT
    force: bool = False

    @property
    def board(self) -> str:
        """The target board."""
        return self.study.hardware.board


def run_study(run: StudyRun, notify: Notify = lambda text, done, count, left: None) -> Store:
    """Run what is left of a study to its end; returns the storage with the results.

    Raises:
        OptionError, WorkspaceError, ToolError: the study cannot be run; a network that fails is
            not an error, the storage says why it did.
    """
    if run.jobs < 1:
        raise OptionError(f"--jobs must be at least 1, not {run.jobs}")
    out = folder_of(run.out.resolve())
    data = _data_folder(run.data)
    load_images(data, run.study.data, run.study.network)  # refused now, not by a worker
    with _claimed(out):
        files.claim(out, force=run.force)
        url = run.storage or local_storage(out)
        store = Store(run.study, url, run.heartbeat)
        store.recover()
        store.queue_grid()
        if not store.unfinished():
            return store
        job = Job(
            study=run.study.model_dump_json(),
            storage=url,
            data=str(data.resolve()),
            out=str(out),
            heartbeat=run.heartbeat,
            parent=os.getpid(),
        )
        _work(job, run.jobs, store, notify)
    return store


def _data_folder(given: Path | None) -> Path:
    if given is not None:
        return given
    for place in map(Path, USUAL):
        if any(place.glob("t10k-images*")):
            return place
    raise WorkspaceError(f"name MNIST's folder with --data; it is not in {', '.join(USUAL)}")


@contextmanager
def _claimed(out: Path) -> Iterator[None]:
    """Hold a folder's lock; raises WorkspaceError if another run of the study does."""
    with (out / LOCK).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise WorkspaceError(f"another study is at work in {out}") from error
        yield


def _work(job: Job, count: int, store: Store, notify: Notify) -> None:
    """Start workers and wait for them; they are stopped if this is interrupted."""
    command = [sys.executable, "-m", "qnnc.explore.worker", job.to_json()]
    total = len(store.study.queue())
    remaining = Remaining(total, store.finished())
    workers = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(count)
    ]
    errors: list[str] = []

    def listen(worker: subprocess.Popen[str]) -> None:
        assert worker.stdout is not None and worker.stderr is not None
        for line in worker.stdout:
            remaining.heard(worker.pid, line.strip())
            finished = store.finished()
            notify(line.strip(), len(finished), total, remaining.seconds(finished))

    def complaints(worker: subprocess.Popen[str]) -> None:
        assert worker.stderr is not None
        errors.extend(line.strip() for line in worker.stderr if line.strip())

    threads = [
        threading.Thread(target=target, args=(worker,), daemon=True)
        for worker in workers
        for target in (listen, complaints)
    ]
    try:
        for thread in threads:
            thread.start()
        codes = [worker.wait() for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
    for thread in threads:
        thread.join(timeout=5)
    if any(codes) and store.waiting() + store.running():
        last = errors[-1].removeprefix("qnnc: ") if errors else f"exit code {max(codes)}"
        raise ToolError(f"workers ended early: {last}; run the same command again to continue")
