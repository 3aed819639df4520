# SPDX-License-Identifier: Apache-2.0
"""How long a study will still take."""

from __future__ import annotations

import pytest

from qnnc.explore.remaining import TRAINING, Remaining

BEFORE = [f"W{w}A8" for w in range(1, 7)]


class Clock:
    """Seconds that are set."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_time_left_from_the_first_epoch_on() -> None:
    clock = Clock()
    left = Remaining(total=4, finished=(), clock=clock)
    assert left.seconds(()) is None
    clock.now = TRAINING * 10
    left.heard(1, "W1A1: epoch 1 of 10")
    assert left.seconds(()) == pytest.approx(100 * (4 - TRAINING / 10))
    left.heard(1, "W1A1: compiling epoch 10")
    clock.now = 100
    assert left.seconds(["W1A1"]) == pytest.approx(100 * 3)  # counted once
    left.heard(1, "W1A8: epoch 1 of 10")
    assert left.seconds(["W1A1"]) == pytest.approx(100 * (3 - TRAINING / 10) / (1 + TRAINING / 10))


def test_two_workers_and_what_an_earlier_run_did() -> None:
    clock = Clock()
    left = Remaining(total=10, finished=BEFORE, clock=clock)
    clock.now = 10
    left.heard(1, "W1A1: epoch 10 of 10")  # nine of them were in a checkpoint
    left.heard(2, "W2A1: epoch 1 of 10")
    made = 2 * TRAINING / 10
    assert left.seconds(BEFORE) == pytest.approx(10 * (4 - made - 0.9 * TRAINING) / made)
    made = 1 - 0.9 * TRAINING + TRAINING / 10
    finished = [*BEFORE, "W1A1"]
    assert left.seconds(finished) == pytest.approx(10 * (3 - TRAINING / 10) / made)


def test_never_below_zero() -> None:
    clock = Clock()
    left = Remaining(total=1, finished=(), clock=clock)
    clock.now = 5
    assert left.seconds(["W1A1"]) == 0
