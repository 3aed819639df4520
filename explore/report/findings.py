# SPDX-License-Identifier: Apache-2.0
"""The paper's findings, checked against a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from qnnc.explore.report.grid import error, grid, resource, shares_of_variance
from qnnc.explore.report.paper import FITTED, NETWORKS
from qnnc.explore.results import Result
from qnnc.explore.study import Study

CLEAR = 2.0
"""One width decides, if its means explain so many times as much variance as the other's."""


@dataclass(frozen=True)
class Finding:
    """A statement of the paper.

    Attributes:
        text: the statement.
        holds: in this run; None if that cannot be told.
        evidence: the figures.
    """

    text: str
    holds: bool | None
    evidence: str


def findings(study: Study, results: Mapping[str, Result]) -> list[Finding]:
    """All statements that the run can be asked about."""
    return [
        _decides(study, results, "BRAM18", weights=True),
        _decides(study, results, "FF", weights=False),
        _first_bit(study, results),
        *([_all_fit(results)] if results else []),
    ]


def _decides(study: Study, results: Mapping[str, Result], name: str, *, weights: bool) -> Finding:
    text = f"{'Weight' if weights else 'Activation'} precision decides {name}"
    shares = shares_of_variance(grid(study, results, resource(name)))
    if shares is None:
        return Finding(text, None, "not all networks have an estimate at this speed")
    mine, other = shares if weights else shares[::-1]
    evidence = (
        f"weight widths explain {shares[0]:.0%} of its variance, activation widths {shares[1]:.0%}"
    )
    return Finding(text, mine > CLEAR * other, evidence)


def _first_bit(study: Study, results: Mapping[str, Result]) -> Finding:
    text = "The largest step in accuracy is from 1 to 2 weight bits"
    widths = study.quantization.weights
    epochs = study.training.epochs[-1]
    means = grid(study, results, error(epochs)).mean(axis=0)
    if epochs == 0 or np.isnan(means).any() or list(widths[:2]) != [1, 2]:
        return Finding(text, None, "needs trained networks of all widths, 1 and 2 bits among them")
    steps = means[:-1] - means[1:]
    each = ", ".join(
        f"{w} bit{'s' * (w > 1)} {m:.2f} %" for w, m in zip(widths, means, strict=True)
    )
    return Finding(text, bool(steps.argmax() == 0 and steps[0] > 0), f"mean error of {each}")


def _all_fit(results: Mapping[str, Result]) -> Finding:
    fitting = sum(bool(result["fastest"]["fits"]) for result in results.values())
    text = f"Every network fits the board (the paper: {FITTED} of {NETWORKS})"
    evidence = f"{fitting} of {len(results)} fit"
    if alone := sum(bool(result["same_speed"]["fits"]) for result in results.values()):
        evidence += f", {alone} of them with all weights on the chip at the speed compared"
    return Finding(text, fitting == len(results), evidence)
