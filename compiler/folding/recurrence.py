# SPDX-License-Identifier: Apache-2.0
"""Folding of recurrences: the nodes of a step follow each other, step after step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

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


def paced(
    graph: StreamGraph, goal: Goal, first: Choice, fixed: Sequence[Fixed], margin: float
) -> Choice:
    """A choice, applied, with which recurrences keep the pace that is asked for, or else the
    fastest of some: nodes that wait for each other within a step are hurried until they do.

    Args:
        margin: by how much they are to be faster than asked for, for what is inserted later.

    Raises:
        TargetError: they cannot; says what they reach.
    """
    from qnnc.compiler.buffering.depths import pace_of  # brings networkx, slow to load

    wanted = None if goal.max_cycles is None else math.floor(goal.max_cycles / margin)
    best, hurry, refusal = first, 1.0, ""
    best_pace = pace = pace_of(graph)
    for _ in range(TRIES):
        slowest = max(node.cycles(node.folding()) for node in graph.nodes)
        if pace <= (wanted or slowest * SLACK):
            break
        hurry *= max(STEP, min(4.0, pace / (wanted or slowest)))
        try:
            choice = choose(graph, replace(goal, hurry=hurry), fixed)
        except TargetError as error:
            refusal = f" ({error})" if wanted is not None else ""
            break
        apply_choice(graph, choice)
        pace = pace_of(graph)
        if pace < best_pace:
            best, best_pace = choice, pace
    if wanted is not None and best_pace > wanted:
        reached = math.ceil(best_pace * margin)
        raise TargetError(
            f"{goal.fps:,.0f} frames/s leave {goal.max_cycles} cycles per frame at "
            f"{goal.clock_mhz:g} MHz, but the steps of the recurrence wait for each other, for "
            f"{reached} cycles; about {rate(goal.reached(reached))} frames/s can be "
            f"reached{refusal}"
        )
    apply_choice(graph, best)
    return best
