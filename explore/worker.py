# SPDX-License-Identifier: Apache-2.0
"""A process that takes networks from the storage until none are left.

python -m qnnc.explore.worker JOB, where JOB is the JSON of a `Job`
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from qnnc.compiler.errors import QnncError
from qnnc.explore.data import Images, load_images
from qnnc.explore.store import (
    NAME,
    REASON,
    RESULT,
    WORKER,
    Store,
    me,
    objective_values,
    optuna,
    point_of,
)
from qnnc.explore.study import Point, Study, Widths
from qnnc.explore.trial import run_trial

PAUSE = 1.0
"""Seconds between two looks at what others are doing."""


@dataclass(frozen=True)
class Job:
    """A worker's job.

    Attributes:
        study: as JSON.
        storage: address of the storage.
        data: folder of the images.
        out: folder of the study.
        heartbeat: seconds between signs of life.
        parent: process that started it; the worker ends when that has ended.
    """

    study: str
    storage: str
    data: str
    out: str
    heartbeat: int
    parent: int

    def to_json(self) -> str:
        """For `from_json`."""
        return json.dumps(asdict(self))


class Worker:
    """Runs trials."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.study = Study.model_validate_json(job.study)
        self.folder = Path(job.out)
        self.store = Store(self.study, job.storage, job.heartbeat)
        self.images: Images = load_images(Path(job.data), self.study.data, self.study.network)
        self._pruned = optuna().TrialPruned

    def run(self) -> None:
        """Work until nothing waits and nobody else is at work, whose trial might come back."""
        while True:
            self.store.recover()
            if self.store.waiting():
                self._one(self.store.trials, self.grid_trial)
            elif self.store.running():
                self._alive()
                time.sleep(PAUSE)
            else:
                break
        self._search()

    def _search(self) -> None:
        """Trials of the search, as long as there are too few."""
        states = optuna().trial.TrialState
        counted = (states.COMPLETE, states.RUNNING)
        while self.study.search.trials:
            self.store.recover()
            search = self.store.search()  # with a sampler that continues from what is there
            there = search.get_trials(deepcopy=False, states=counted)
            if len(there) >= min(self.study.search.trials, self.study.points):
                break
            self._one(search, self.search_trial)

    @staticmethod
    def _one(trials: Any, objective: Any) -> None:
        """One trial; what a user can fix is written down with it, and the others go on."""
        trials.optimize(objective, n_trials=1, catch=(QnncError,))

    def grid_trial(self, trial: Any) -> tuple[float, ...]:
        """One network of the grid."""
        if self.store.claimed_by_another(trial):
            raise self._pruned
        return self._measure(trial, self.study, point_of(self.study, trial))

    def search_trial(self, trial: Any) -> tuple[float, ...]:
        """One network with widths of its own in every layer."""
        layers = range(len(self.study.network.hidden) + 1)
        bits = self.study.quantization
        widths = Widths(
            tuple(trial.suggest_categorical(f"w{i}", list(bits.weights)) for i in layers),
            tuple(trial.suggest_categorical(f"a{i}", list(bits.activations)) for i in layers),
        )
        training = self.study.training.model_copy(update={"epochs": (self.study.search.epochs,)})
        study = self.study.model_copy(update={"training": training})
        trial.set_user_attr(NAME, widths.name)
        if self.store.claimed_by_another(trial):
            raise self._pruned
        return self._measure(trial, study, Point(widths, study.training.seed, study.training.seed))

    def _measure(self, trial: Any, study: Study, point: Point) -> tuple[float, ...]:
        trial.set_user_attr(WORKER, me())
        try:
            result = run_trial(study, point, self.images, self.folder, self._tell)
        except Exception as error:
            expected = isinstance(error, QnncError)
            trial.set_user_attr(REASON, str(error) if expected else f"defect of qnnc: {error!r}")
            raise
        trial.set_user_attr(RESULT, result)
        return objective_values(result, study.training.epochs[-1])

    def _tell(self, text: str) -> None:
        """Report what is being done to the process that started this."""
        self._alive()
        print(text, flush=True)

    def _alive(self) -> None:
        if os.getppid() != self.job.parent:
            os._exit(1)  # otherwise nobody would ever stop this process


def main() -> None:
    """Run a job; exit code 2 with one line for what a user can fix."""
    job = Job(**json.loads(sys.argv[1]))
    try:
        from qnnc.explore.training.torch_modules import module

        module("torch").set_num_threads(1)  # sums do not depend on how many workers there are
        Worker(job).run()
    except QnncError as error:
        print(f"qnnc: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
