# SPDX-License-Identifier: Apache-2.0
"""Python's cyclic garbage collector, made patient while graphs are built."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

OBJECTS = 100_000
"""New objects between two collections of the youngest generation; Python's own figure is 700."""


@contextmanager
def patient_collector() -> Iterator[None]:
    """Collect cycles less often inside a `with` block.

    Passes make many small objects and drop few, so nearly every collection frees nothing: with
    Python's figure they take a fifth of the passes' time (benchmarks/pass_scaling.py). What was
    set before is set again at the end; a collector that is off stays off.
    """
    before = gc.get_threshold()
    if 0 < before[0] < OBJECTS:
        gc.set_threshold(OBJECTS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
