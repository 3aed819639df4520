# SPDX-License-Identifier: Apache-2.0
"""How long a study will still take, judged by what its workers have done in this run."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

_EPOCH = re.compile(r"(\S+): epoch (\d+) of (\d+)$")
TRAINING = 0.75
"""Share of a network's time that its training takes; compiling, attacks and builds take the rest.
Measured with 64 networks, 10 epochs, 50,000 images."""


class Remaining:
    """An estimate that begins with the first epoch of the first network.

    Args:
        total: networks of the study, all seeds counted.
        done: those finished before this run.
        clock: seconds.
    """

    def __init__(self, total: int, done: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._left, self._before, self._clock = total - done, done, clock
        self._began = clock()
        self._name: dict[int, str] = {}
        self._share: dict[int, float] = {}
        self._found: dict[int, float] = {}

    def heard(self, worker: int, text: str) -> None:
        """Take note of a worker's line: where it is in its network."""
        name = text.partition(":")[0]
        if self._name.get(worker) != name:
            self._name[worker], self._share[worker] = name, 0.0
            self._found.pop(worker, None)
        if epoch := _EPOCH.match(text):
            step = TRAINING / int(epoch[3])
            self._share[worker] = step * int(epoch[2])
            # a checkpoint may hold epochs of an earlier run
            self._found.setdefault(worker, self._share[worker] - step)

    def seconds(self, done: int) -> float | None:
        """What is left, given how many networks are finished; None before the first epoch."""
        in_work = sum(self._share.values()) - sum(self._found.values())
        made = done - self._before + in_work
        if made <= 0:
            return None
        return max(0.0, (self._clock() - self._began) / made * (self._left - made))
