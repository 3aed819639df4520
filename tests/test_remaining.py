# SPDX-License-Identifier: Apache-2.0
"""How long a study will still take."""

from __future__ import annotations

import pytest

from qnnc.explore.remaining import TRAINING, Remaining


class Clock:
    """Seconds that are set."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_time_left_from_the_first_epoch_on() -> None:
    clock = Clock()
    left = Remaining(total=4, done=0, clock=clock)
    assert left.seconds(0) is None
    clock.now = TRAINING * 10
    left.heard(1, "W1A1: epoch 1 of 10")
    assert left.seconds(0) == pytest.approx(100 * (4 - TRAINING / 10))
    left.heard(1, "W1A1: compiling epoch 10")
    clock.now = 100
    left.heard(1, "W1A8: epoch 1 of 10")  # W1A1 is finished
    assert left.seconds(1) == pytest.approx(100 * (3 - TRAINING / 10) / (1 + TRAINING / 10))


def test_two_workers_and_what_an_earlier_run_did() -> None:
    clock = Clock()
    left = Remaining(total=10, done=6, clock=clock)
    clock.now = 10
    left.heard(1, "W1A1: epoch 10 of 10")  # nine of them were in a checkpoint
    left.heard(2, "W2A1: epoch 1 of 10")
    made = 2 * TRAINING / 10
    assert left.seconds(6) == pytest.approx(10 * (4 - made) / made)


def test_never_below_zero() -> None:
    clock = Clock()
    left = Remaining(total=1, done=0, clock=clock)
    clock.now = 5
    assert left.seconds(1) == 0
