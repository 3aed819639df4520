# SPDX-License-Identifier: Apache-2.0
"""Folding of recurrences: the nodes of a step follow each other, step after step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from qnnc.compiler.buffering.depths import pace_of
from qnnc.compiler.dataflow.stream_graph import StreamGraph
from qnnc.compiler.errors import TargetError
from qnnc.compiler.folding.by_hand import Fixed
from qnnc.compiler.folding.goal import Goal, apply_choice, choose, rate
from qnnc.compiler.folding.problem import Choice

TRIES = 8
STEP = 1.25
"""How much more nodes are hurried from one try to the next, at least."""
SLACK = 1.05
"""How much slower than its slowest node a recurrence may be where no pace is asked for."""


def paced(graph: StreamGraph, goal: Goal, first: Choice, fixed: Sequence[Fixed]) -> Choice:
    """A choice, applied, with which recurrences keep the pace that is asked for, or else the
    fastest of some: nodes that wait for each other within a step are hurried until they do.

    Raises:
        TargetError: they cannot; says what they reach.
    """
    wanted = goal.max_cycles
    best, best_pace, hurry = first, pace_of(graph), 1.0
    refusal = ""
    for _ in range(TRIES):
        pace = pace_of(graph)
        slowest = max(node.cycles(node.folding()) for node in graph.nodes)
        if pace <= (wanted or slowest * SLACK):
            return best
        hurry *= max(STEP, min(4.0, pace / (wanted or slowest)))
        try:
            choice = choose(graph, replace(goal, hurry=hurry), fixed)
        except TargetError as error:
            refusal = f" ({error})" if wanted is not None else ""
            break
        apply_choice(graph, choice)
        found = pace_of(graph)
        if found < best_pace or (wanted is not None and found <= wanted):
            best, best_pace = choice, found
    if wanted is not None and best_pace > wanted:
        raise TargetError(
            f"{goal.fps:,.0f} frames/s leave {wanted} cycles per frame at {goal.clock_mhz:g} MHz, "
            f"but the steps of the recurrence wait for each other: {best_pace} cycles, at most "
            f"{rate(goal.reached(best_pace))} frames/s{refusal}"
        )
    apply_choice(graph, best)
    return best
