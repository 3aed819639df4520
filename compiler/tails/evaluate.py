# SPDX-License-Identifier: Apache-2.0
"""Evaluating a tail: at every integer of its range, or by bisection."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from qnnc.compiler.ir.facts import IntArray
from qnnc.compiler.tails.bisection import bisected, check_steps
from qnnc.compiler.tails.collect import Tail
from qnnc.compiler.tails.evaluator import CHUNK, Evaluator, Steps


def evaluate(model: ir.Model, tail: Tail, max_elements: int, max_steps: int) -> Steps:
    """Where the tail's code changes.

    Ranges of up to `max_elements` integers (channels counted each) are evaluated throughout,
    larger ones by bisection, piece by piece.

    Raises:
        Unsupported: the range is too large and it is not known where the tail turns round, or it
            has more than `max_steps` steps, as far as that is soon seen.
    """
    evaluator = Evaluator(model, tail)
    if not tail.turns:
        ends = [evaluator.run(x[None])[0] for x in (evaluator.low, evaluator.high)]
        check_steps(int(np.abs(ends[1] - ends[0]).max()), max_steps)
    span = int((evaluator.high - evaluator.low).max()) + 1
    if span * evaluator.channels <= max_elements:
        return _exhaustive(evaluator, span)
    return bisected(evaluator, max_elements, max_steps)


def _exhaustive(evaluator: Evaluator, span: int) -> Steps:
    low, high = evaluator.low, evaluator.high
    rows = max(1, CHUNK // evaluator.channels)
    at: list[list[IntArray]] = [[] for _ in range(evaluator.channels)]
    to: list[list[IntArray]] = [[] for _ in range(evaluator.channels)]
    first = before = None
    for start in range(0, span, rows):
        index = np.arange(start, min(start + rows, span))[:, None]
        x = np.minimum(low + index, high)  # beyond its range a channel stands still
        codes = evaluator.run(x)
        if first is None or before is None:
            first, before = codes[0], codes[:1]
        moved = np.concatenate([before, codes])
        change_row, change_channel = np.nonzero(np.diff(moved, axis=0))
        for channel in np.unique(change_channel):
            rows_here = change_row[change_channel == channel]
            at[channel].append(x[rows_here, channel])
            to[channel].append(codes[rows_here, channel])
        before = codes[-1:]
    assert first is not None
    empty = np.zeros(0, dtype=np.int64)
    return Steps(
        low,
        high,
        first,
        tuple(np.concatenate(parts) if parts else empty for parts in at),
        tuple(np.concatenate(parts) if parts else empty for parts in to),
        exhaustive=True,
    )
