# SPDX-License-Identifier: Apache-2.0
"""When a node takes and gives elements: a cyclo-static schedule, one period per frame."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from qnnc.compiler.ir.facts import IntArray


@dataclass(frozen=True, eq=False)
class Intake:
    """What a node takes from an input stream.

    Attributes:
        needed: elements of the frame that must have come, for each firing to start.
        freed: elements of the frame that the node no longer keeps, after each firing.
        room: elements that the node itself can hold, taken in before a firing needs them.
    """

    needed: IntArray
    freed: IntArray
    room: int = 0


@dataclass(frozen=True, eq=False)
class Schedule:
    """A node as a sequence of firings, the same for every frame.

    Attributes:
        cycles: of each firing, during which no other starts.
        latency: cycles from the end of a firing until its results are out.
        intakes: one for each input stream.
        given: for each output stream, elements of the frame that are out after each firing.
    """

    cycles: IntArray
    latency: int
    intakes: tuple[Intake, ...]
    given: tuple[IntArray, ...]

    @property
    def firings(self) -> int:
        """Firings per frame."""
        return int(self.cycles.size)


@dataclass(frozen=True)
class Steps:
    """Builds schedules of nodes that work through a frame in equal steps."""

    firings: int
    cycles: int
    latency: int
    inputs: Sequence[int]
    outputs: Sequence[int]
    room: Sequence[int] = field(default_factory=tuple)

    def schedule(self) -> Schedule:
        """Every firing takes its share of each input and gives its share of each output."""
        each = np.full(self.firings, math.ceil(self.cycles / self.firings), dtype=np.int64)
        room = [*self.room, *[0] * len(self.inputs)]
        taken = [_shares(total, self.firings) for total in self.inputs]
        return Schedule(
            each,
            self.latency,
            tuple(Intake(t, t, r) for t, r in zip(taken, room, strict=False)),
            tuple(_shares(total, self.firings) for total in self.outputs),
        )


def in_turn(
    vectors: int, parts: Sequence[int], lanes: int, latency: int, *, joined: bool
) -> Schedule:
    """A node that works through the parts of each vector one after the other, of which each is a
    stream of its own on one side: what belongs to one part waits while another passes.

    Args:
        vectors: per frame.
        parts: elements of each part in a vector.
        lanes: elements per cycle.
        joined: the parts come in by streams of their own; else they go out so.
    """
    sizes = np.tile(np.asarray(parts, np.int64), vectors)
    turns = np.tile(np.arange(len(parts)), vectors)
    apart = tuple(cumulative(np.where(turns == i, sizes, 0)) for i in range(len(parts)))
    whole = (cumulative(sizes),)
    taken, given = (apart, whole) if joined else (whole, apart)
    return Schedule(-(-sizes // lanes), latency, tuple(Intake(t, t) for t in taken), given)


def _shares(total: int, firings: int) -> IntArray:
    """Elements after each firing if they are spread evenly."""
    numbers = np.arange(1, firings + 1, dtype=np.int64)
    return -(-total * numbers // firings)


def cumulative(counts: ArrayLike) -> IntArray:
    """Running totals of counts of any shape, flat."""
    totals: IntArray = np.cumsum(np.asarray(counts, dtype=np.int64))
    return totals
