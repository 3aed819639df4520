# SPDX-License-Identifier: Apache-2.0
"""Trials in an Optuna storage, which may be a file here or a database that many machines share.

A trial is a network. All of a grid are queued at the start; workers take them one by one. A worker
that dies leaves its trial running: it is queued again, at once if it ran on this machine, else
when its heartbeat has been missing for long enough.
"""

from __future__ import annotations

import importlib
import os
import socket
import time
import warnings
from pathlib import Path
from typing import Any

from qnnc.compiler.errors import OptionError, ToolError, WorkspaceError
from qnnc.explore.study import Point, Study, Widths

NAME, RESULT, SETTINGS, WORKER, REASON = "name", "result", "settings", "worker", "reason"
SEED = "seed"
"""Attributes of trials and studies in the storage."""
SEARCH = "-search"
HEARTBEAT = 15
"""Seconds between two signs of life of a worker."""
GRACE = 4
"""Heartbeats that may be missing."""
OBJECTIVES = ("error", "LUT", "BRAM18")
ATTEMPTS = 5
RACES = ("IntegrityError", "OperationalError", "ProgrammingError")
"""SQLAlchemy's errors when another worker makes the same tables at the same moment."""
SQLITE_PATIENCE = 120
"""Seconds to wait for another worker's write."""


def optuna() -> Any:
    """The module; raises ToolError if it is not installed."""
    try:
        module = importlib.import_module("optuna")
    except ImportError as error:
        raise ToolError(
            f"studies need optuna and matplotlib ({error}): pip install 'qnnc[train,explore]'"
        ) from error
    module.logging.set_verbosity(module.logging.ERROR)
    warnings.filterwarnings("ignore", category=module.exceptions.ExperimentalWarning)
    return module


def local_storage(folder: Path) -> str:
    """Address of the storage in a study's own folder."""
    return f"sqlite:///{folder.resolve()}/trials.db"


class Store:
    """The trials of a study.

    Args:
        study: what is studied; a storage that holds it with other settings is refused.
        url: SQLAlchemy's address of a database.
        heartbeat: seconds between two signs of life.

    Raises:
        OptionError: the database cannot be used, or holds another study of that name.
    """

    def __init__(self, study: Study, url: str, heartbeat: int = HEARTBEAT) -> None:
        self.study = study
        self._optuna = optuna()
        self._states = self._optuna.trial.TrialState
        self._storage = self._connect(url, heartbeat)
        self.trials = self._open("")

    def _connect(self, url: str, heartbeat: int) -> Any:
        """The database, with tables made if need be; others may be making them just now."""
        connect = {"timeout": SQLITE_PATIENCE} if url.startswith("sqlite") else {}
        for attempt in range(ATTEMPTS):
            try:
                storage = self._optuna.storages.RDBStorage(
                    url,
                    engine_kwargs={"connect_args": connect, "pool_pre_ping": True},
                    heartbeat_interval=heartbeat,
                    grace_period=heartbeat * GRACE,
                    heartbeat_stale_trial_callback=self._requeue,
                )
                if url.startswith("sqlite"):
                    _one_writer(storage.engine)
                return storage
            except Exception as error:  # whatever SQLAlchemy and the database's driver raise
                if attempt < ATTEMPTS - 1 and type(error).__name__ in RACES:
                    time.sleep(1)
                    continue
                text = str(error).splitlines()[0] if str(error) else type(error).__name__
                raise OptionError(
                    f"storage {_without_password(url)} cannot be used: {text} (SQLite: "
                    "sqlite:///path, PostgreSQL: postgresql+psycopg://user@host/database)"
                ) from error
        raise AssertionError("the last attempt returns or raises")

    def _open(self, suffix: str) -> Any:
        """An Optuna study, made if there is none, with settings that are this study's."""
        # a search and more seeds may be added to a grid, and a search may continue
        search: Any = {"search": {"trials"}} if suffix else {"search": True}
        one_seed = self.study.with_seed(self.study.training.seed)
        settings = one_seed.model_dump_json(exclude=search)
        name = self.study.name + suffix
        found = self._optuna.create_study(
            storage=self._storage,
            study_name=name,
            directions=["minimize"] * len(OBJECTIVES),
            load_if_exists=True,
        )
        found.sampler = self._sampler(len(found.get_trials(deepcopy=False)))
        if found.user_attrs.get(SETTINGS, settings) != settings:
            raise OptionError(
                f"the storage holds study {name} with other settings: choose another --out or "
                "--storage, or the settings it was begun with"
            )
        found.set_user_attr(SETTINGS, settings)
        return found

    def _sampler(self, drawn: int) -> Any:
        """A sampler after so many trials: of the same seed, it would propose the first again."""
        search, samplers = self.study.search, self._optuna.samplers
        kinds = {"nsga2": samplers.NSGAIISampler, "tpe": samplers.TPESampler}
        return kinds[search.sampler](seed=search.seed + drawn)

    def search(self) -> Any:
        """The Optuna study of the search beyond the grid."""
        return self._open(SEARCH)

    def searched(self) -> dict[str, dict[str, Any]]:
        """What is known of each finished network of the search, by name."""
        if not self.study.search.trials:
            return {}
        states = (self._states.COMPLETE,)
        found = self.search().get_trials(deepcopy=False, states=states)
        return {t.user_attrs[NAME]: t.user_attrs[RESULT] for t in found}

    def queue_grid(self) -> None:
        """Queue every network of the grid that is not there yet, so that a stop leaves a grid."""
        there = {trial.user_attrs.get(NAME) for trial in self._all() if self._counts(trial)}
        for point in self.study.queue():
            if point.name not in there:
                self._queue(point)

    def _queue(self, point: Point) -> None:
        """Queue a network; its seed is not a parameter: its choices could not be extended."""
        widths = point.widths
        self.trials.enqueue_trial(
            {"weights": widths.weights[0], "activations": widths.activations[0]},
            user_attrs={NAME: point.name, SEED: point.seed},
        )

    def _requeue(self, study: Any, trial: Any) -> None:
        """Queue the network of a grid's trial that died; a search draws another."""
        grid = {one.name: one for one in self.study.queue()}
        point = grid.get(trial.user_attrs.get(NAME, ""))
        if point is not None and study.study_name == self.trials.study_name:
            self._queue(point)

    def recover(self) -> None:
        """Give up what dead workers left running, and queue it again."""
        for study in (self.trials, *([self.search()] if self.study.search.trials else ())):
            for trial in study.get_trials(deepcopy=False, states=(self._states.RUNNING,)):
                if is_dead(trial.user_attrs.get(WORKER)):
                    try:
                        study.tell(trial.number, state=self._states.FAIL)
                    except (ValueError, RuntimeError):  # another worker got there first
                        continue
                    self._requeue(study, trial)
            self._optuna.storages.fail_stale_trials(study)

    def waiting(self) -> int:
        """How many networks wait for a worker."""
        return len(self._all((self._states.WAITING,)))

    def running(self) -> int:
        """How many are being worked at."""
        return len(self._all((self._states.RUNNING,)))

    def unfinished(self) -> bool:
        """Whether there is anything to do, or being done."""
        return bool(
            self.waiting() or self.running() or len(self.searched()) < self.study.search.trials
        )

    def results(self) -> dict[str, dict[str, Any]]:
        """What is known of each finished network of the grid, by name, in the grid's order.

        What its training with further seeds gave is listed under "repeats".
        """
        found = self._finished()
        seeds, first = self.study.training.seeds[1:], self.study.training.seed
        return {
            w.name: found[w.name]
            | {"repeats": [found[n] for s in seeds if (n := Point(w, s, first).name) in found]}
            for w in self.study.grid()
            if w.name in found
        }

    def finished(self) -> set[str]:
        """Names of the grid's networks that are trained, further seeds included."""
        return {point.name for point in self.study.queue()} & set(self._finished())

    def _finished(self) -> dict[str, dict[str, Any]]:
        done = self._all((self._states.COMPLETE,))
        return {t.user_attrs[NAME]: t.user_attrs[RESULT] for t in reversed(done)}

    def failures(self) -> dict[str, str]:
        """Why networks without a result have none."""
        failed = self._all((self._states.FAIL,))
        found = {t.user_attrs.get(NAME): t.user_attrs.get(REASON) for t in failed}
        done = self._finished()
        return {name: reason for name, reason in found.items() if reason and name not in done}

    def claimed_by_another(self, trial: Any) -> bool:
        """Whether a network that this trial was given is done, or at work in an earlier trial.

        Two who fill the queue of a shared database at the same moment queue networks twice; a
        search may come upon a network again.
        """
        name = trial.user_attrs.get(NAME)
        everything = trial.study.get_trials(deepcopy=False)
        same = [t for t in everything if t.user_attrs.get(NAME) == name]
        return name is None or any(
            t.number != trial.number
            and (
                t.state == self._states.COMPLETE
                or (t.state == self._states.RUNNING and t.number < trial.number)
            )
            for t in same
        )

    def _counts(self, trial: Any) -> bool:
        return trial.state in (self._states.COMPLETE, self._states.WAITING, self._states.RUNNING)

    def _all(self, states: tuple[Any, ...] | None = None) -> list[Any]:
        trials: list[Any] = self.trials.get_trials(deepcopy=False, states=states)
        return trials


def _one_writer(engine: Any) -> None:
    """Let each transaction hold SQLite's lock from its start.

    Optuna hands out a waiting trial by SELECT FOR UPDATE, which SQLite does not know: two workers
    read the same trial as waiting, and both took it.
    """
    event = importlib.import_module("sqlalchemy").event

    def connected(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # else Python's sqlite3 begins only with the first write

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", lambda c: c.exec_driver_sql("BEGIN IMMEDIATE"))
    engine.dispose()  # those connected already


def me() -> str:
    """This process, for other processes of this machine to look for."""
    return f"{socket.gethostname()}:{os.getpid()}:{_started(os.getpid())}"


def is_dead(worker: str | None) -> bool:
    """Whether a process of this machine has ended; of other machines nothing is known."""
    host, _, process = (worker or "").partition(":")
    pid, _, started = process.partition(":")
    return host == socket.gethostname() and pid.isdigit() and _started(int(pid)) != started


def _started(pid: int) -> str:
    """When a process started, so that a number used again is not taken for the old one."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]


def _without_password(url: str) -> str:
    head, at, tail = url.rpartition("@")
    scheme, separator, user = head.partition("://")
    return f"{scheme}{separator}{user.partition(':')[0]}{at}{tail}" if at else url


def objective_values(result: dict[str, Any], epochs: int) -> tuple[float, float, float]:
    """What a search minimises: error in percent, LUTs and BRAM18s at the study's frames/s;
    infinite where that is unreachable or was not asked for."""
    error = float(result["epochs"][str(epochs)]["error"])
    counts = result.get("same_speed", {}).get("estimate")
    if counts is None:
        return error, float("inf"), float("inf")
    return error, float(counts["LUT"]), float(counts["BRAM18"])


def point_of(study: Study, trial: Any) -> Point:
    """The network that a trial of the grid stands for."""
    layers = len(study.network.hidden) + 1
    weights = trial.suggest_int("weights", 1, 8)
    activations = trial.suggest_int("activations", 1, 8)
    widths = Widths((weights,) * layers, (activations,) * layers)
    return Point(widths, int(trial.user_attrs[SEED]), study.training.seed)


def folder_of(out: Path) -> Path:
    """A study's folder, made if need be; raises WorkspaceError if it cannot be."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WorkspaceError(f"cannot write {out}: {error.strerror or error}") from error
    return out
