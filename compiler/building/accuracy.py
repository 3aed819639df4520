# SPDX-License-Identifier: Apache-2.0
"""How many of a user's samples a finished graph labels correctly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from qnnc.compiler.building.answers import answered
from qnnc.compiler.report import AccuracyReport

if TYPE_CHECKING:
    from qnnc.compiler.building.build import Build

MOST_CLASSES = 100
"""Of a confusion matrix."""


def measure_accuracy(build: Build) -> AccuracyReport | None:
    """Label all samples with the compiled graph and the golden one, as `qnnc verify` does; None
    without labels.

    Raises:
        WorkspaceError: the files do not fit.
    """
    options = build.options
    samples = options.real_samples
    if samples is None or options.labels is None:
        return None
    build.progress.detail("labelling the samples")
    found = answered(build.workspace, samples, options.labels)
    correct, golden_correct = found.correct(found.compiled), found.correct(found.golden)
    assert found.wanted is not None and correct is not None and golden_correct is not None
    return AccuracyReport(
        samples=len(found.compiled),
        correct=correct,
        golden_correct=golden_correct,
        same=found.same,
        near=found.near,
        confusion=_confusion(found.wanted, found.compiled[:, 0]),
    )


def _confusion(wanted: NDArray[Any], found: NDArray[Any]) -> list[list[int]]:
    """[label][answer] -> samples; empty where the answers are not classes, or too many."""
    if np.any(found != np.rint(found)) or np.any(found < 0):
        return []
    classes = int(max(wanted.max(initial=0), found.max(initial=0))) + 1
    if classes > MOST_CLASSES:
        return []
    table = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(table, (wanted.astype(np.int64), found.astype(np.int64)), 1)
    return [[int(n) for n in row] for row in table]
