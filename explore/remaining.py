# SPDX-License-Identifier: Apache-2.0
"""How long a study will still take, estimated from what its workers have done in this run."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection

_EPOCH = re.compile(r"(\S+): epoch (\d+) of (\d+)$")
TRAINING = 0.75
"""Share of a network's time that its training takes; compiling, attacks and builds take the rest.
Measured with 64 networks, 10 epochs, 50,000 images."""


class Remaining:
    """An estimate that begins with the first epoch of the first network.

    Args:
        total: networks of the study, all seeds counted.
        finished: names of those finished before this run.
        clock: seconds.
    """

    def __init__(
        self, total: int, finished: Collection[str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._total, self._before, self._clock = total, frozenset(finished), clock
        self._began = clock()
        self._at: dict[int, tuple[str, float]] = {}
        """By worker: its network, and the share of it that is done."""
        self._resumed: dict[str, float] = {}
        """By network: the share that an earlier run did."""

    def heard(self, worker: int, text: str) -> None:
        """Take note of a worker's line: where it is in its network."""
        name = text.partition(":")[0]
        if worker not in self._at or self._at[worker][0] != name:
            self._at[worker] = name, 0.0
        if epoch := _EPOCH.match(text):
            step = TRAINING / int(epoch[3])
            share = step * int(epoch[2])
            self._at[worker] = name, share
            self._resumed.setdefault(name, share - step)  # from a checkpoint

    def seconds(self, finished: Collection[str]) -> float | None:
        """What is left, given the names of all finished networks; None before the first epoch."""
        started = {name: share for name, share in self._at.values() if name not in finished}
        shares = dict.fromkeys(set(finished) - self._before, 1.0) | started
        made = sum(share - self._resumed.get(name, 0.0) for name, share in shares.items())
        if made <= 0:
            return None
        left = self._total - len(finished) - sum(started.values())
        return max(0.0, (self._clock() - self._began) / made * left)
