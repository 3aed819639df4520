# SPDX-License-Identifier: Apache-2.0
"""Orders of elements as nested counting loops."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qnnc.compiler.ir.facts import IntArray


@dataclass(frozen=True)
class Loop:
    """A loop of `count` steps, each moving the address by `stride` words."""

    count: int
    stride: int


def loops_of(order: IntArray) -> tuple[Loop, ...] | None:
    """Nested loops, innermost first, that count through `order` [n], or None if none do."""
    rest, loops = np.asarray(order), []
    while rest.size > 1:
        step = int(rest[1] - rest[0])
        jumps = np.flatnonzero(np.diff(rest) != step)
        count = int(jumps[0]) + 1 if jumps.size else rest.size
        while count > 1 and (rest.size % count or not _repeats(rest, count, step)):
            count -= 1
        if count == 1:
            return None
        loops.append(Loop(count, step))
        rest = rest[::count]
    return tuple(loops) or (Loop(1, 0),)


def _repeats(rest: IntArray, count: int, step: int) -> bool:
    return bool(np.all(rest.reshape(-1, count) == rest[::count, None] + np.arange(count) * step))


def block_of(order: IntArray) -> int:
    """Size of the smallest block that `order` [n] reorders within itself, again and again."""
    reach = np.maximum.accumulate(order)
    for size in (np.flatnonzero(reach == np.arange(order.size)) + 1).tolist():
        if order.size % size == 0:
            first = order[:size]
            starts = np.arange(0, order.size, size)[:, None]
            if np.array_equal(order.reshape(-1, size), first + starts):
                return int(size)
    return int(order.size)
