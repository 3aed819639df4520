# SPDX-License-Identifier: Apache-2.0
"""The paper's findings, asked of a run: each with the size of the effect and its interval.

Section and figure numbers are those of Bacchus, Stewart and Komendantskaya, ARC 2020.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from qnnc.explore.report.grid import error, grid, resource
from qnnc.explore.report.paper import ENOUGH_EPOCHS, FITTED, NETWORKS
from qnnc.explore.report.statistics import Effect, Table, columns, paired, shares
from qnnc.explore.results import Result
from qnnc.explore.study import Study

CLEAR = 2.0
"""One width decides, if its means explain so many times as much variance as the other's; both
count evenly if neither does."""
SAME = 0.2
"""Percentage points of error within which two precisions count as the same: little more than a
third of the paper's own range between its best and its worst network (0.55)."""


@dataclass(frozen=True)
class Finding:
    """A statement of the paper.

    Attributes:
        text: the statement, with its place in the paper.
        holds: in this run; None if that cannot be said.
        evidence: the effect, its interval, and what is missing if it cannot be said.
    """

    text: str
    holds: bool | None
    evidence: str


Results = Mapping[str, Result]


def findings(study: Study, results: Results) -> list[Finding]:
    """All statements that the run can be asked about."""
    errors = _Errors(study, results)
    return [
        _decides(study, results, "BRAM18", "weights"),
        _decides(study, results, "FF", "activations"),
        _decides(study, results, "LUT", "both"),
        errors.gap(),
        errors.closing(),
        errors.first_bit(),
        errors.two_bits(),
        errors.sweet_spot("weight"),
        errors.sweet_spot("activation"),
        errors.weights_matter_more(),
        *([_all_fit(results)] if results else []),
    ]


def _decides(study: Study, results: Results, name: str, what: str) -> Finding:
    text = {
        "weights": f"Weight precision determines {name} (figure 6c)",
        "activations": f"Activation precision determines {name} (figure 6b)",
        "both": f"Weight and activation precision contribute evenly to {name} (figure 6a)",
    }[what]
    found = shares(grid(study, results, resource(name)))
    if found is None:
        return Finding(text, None, "not all networks have an estimate at this speed")
    weights, activations = found
    evidence = (
        f"share of its variance: weights {_share(weights)}, activations {_share(activations)}"
    )
    if not weights.known:
        return Finding(text, None, f"{evidence}; needs three widths of each")
    if what == "weights":
        return Finding(text, _times(weights, activations), evidence)
    if what == "activations":
        return Finding(text, _times(activations, weights), evidence)
    either = (_times(weights, activations), _times(activations, weights))
    return Finding(text, None if None in either else not any(either), evidence)


def _times(mine: Effect, other: Effect) -> bool | None:
    """Whether a share is CLEAR times the other, with any one width left out; None if that
    depends on which."""
    if mine.low > CLEAR * other.high:
        return True
    return None if mine.value > CLEAR * other.value or mine.high > CLEAR * other.low else False


def _share(effect: Effect) -> str:
    if not effect.known:
        return f"{effect.value:.0%}"
    return f"{effect.value:.0%} ({effect.low:.0%} to {effect.high:.0%} with one width left out)"


def _points(effect: Effect) -> str:
    if not effect.known:
        return f"{effect.value:+.2f} points (one pair, so no interval)"
    return f"{effect.value:+.2f} points (95 %: {effect.low:+.2f} to {effect.high:+.2f})"


class _Errors:
    """Statements about the classification error, in percent of the test images."""

    def __init__(self, study: Study, results: Results) -> None:
        self.epochs = [count for count in study.training.epochs if count]
        self.weights = list(study.quantization.weights)
        self.activations = list(study.quantization.activations)
        self.tables = {count: grid(study, results, error(count)) for count in self.epochs}

    def _at(self, kind: str, *bits: int) -> list[int]:
        there = self.weights if kind == "weight" else self.activations
        return [i for i, width in enumerate(there) if width in bits]

    def _last(self) -> Table:
        if not self.epochs:
            return np.full((len(self.activations), len(self.weights)), np.nan)
        return self.tables[self.epochs[-1]]

    def _gap(self, table: Table) -> Effect | None:
        return columns(table, self._at("weight", 1, 2), self._at("weight", 3, 4, 5, 6, 7, 8))

    def gap(self) -> Finding:
        """1 and 2 bits against 3 to 8, after the fewest epochs measured."""
        text = "After few epochs, 1 and 2 bit weights err more than 3 to 8 bits (3.3)"
        each = {count: self._gap(table) for count, table in self.tables.items()}
        known = {count: effect for count, effect in each.items() if effect is not None}
        if not known:
            return Finding(text, None, _NEEDS)
        evidence = "; ".join(f"{_after(count)} {_points(one)}" for count, one in known.items())
        fewest = min(known)
        if fewest >= ENOUGH_EPOCHS:
            return Finding(text, None, f"{evidence}; not measured after fewer")
        return Finding(text, known[fewest].above(0), evidence)

    def closing(self) -> Finding:
        """How that gap shrinks."""
        text = "That gap shrinks with training (figure 5)"
        if len(self.epochs) < 2:
            return Finding(text, None, "needs two epoch counts")
        low, high = self._at("weight", 1, 2), self._at("weight", 3, 4, 5, 6, 7, 8)
        first, last = self.epochs[0], self.epochs[-1]
        change = columns(self.tables[first] - self.tables[last], low, high)
        if change is None:
            return Finding(text, None, _NEEDS)
        evidence = f"from {first} to {last} epochs it shrinks by {_points(change)}"
        return Finding(text, change.above(0), evidence)

    def first_bit(self) -> Finding:
        """Whether the step from 1 to 2 bits is the largest."""
        text = "The largest step in accuracy is from 1 to 2 weight bits (3.6)"
        table, widths = self._last(), self.weights
        if widths[:2] != [1, 2] or len(widths) < 3 or np.isnan(table).any():
            return Finding(text, None, _NEEDS)
        steps = table[:, :-1] - table[:, 1:]
        rivals = [paired(steps[:, 0] - steps[:, i]) for i in range(1, steps.shape[1])]
        ahead = [rival.above(0) for rival in rivals if rival is not None]
        means = ", ".join(
            f"{w} bit{'s' * (w > 1)} {mean:.2f} %"
            for w, mean in zip(widths, table.mean(axis=0), strict=True)
        )
        first = paired(steps[:, 0])
        assert first is not None
        closest = min((one for one in rivals if one is not None), key=lambda one: one.value)
        evidence = (
            f"the step is {_points(first)}, ahead of the next largest by {_points(closest)}; "
            f"mean error of {means}"
        )
        return Finding(
            text, False if False in ahead else (None if None in ahead else True), evidence
        )

    def two_bits(self) -> Finding:
        """2 bits against 3 to 8 with enough training."""
        text = f"After {ENOUGH_EPOCHS} epochs, 2 bit weights are almost as accurate as 3 to 8 (3.6)"
        effect = columns(self._last(), self._at("weight", 2), self._at("weight", 3, 4, 5, 6, 7, 8))
        if effect is None:
            return Finding(text, None, _NEEDS)
        evidence = f"{_after(self.epochs[-1])} {_points(effect)}; almost: within {SAME} points"
        within = _within(effect)
        if self.epochs[-1] < ENOUGH_EPOCHS and within is not True:
            return Finding(text, None, f"{evidence}; not trained for so long")
        if self.epochs[-1] < ENOUGH_EPOCHS:
            evidence += "; already then"
        return Finding(text, within, evidence)

    def sweet_spot(self, kind: str) -> Finding:
        """3 bits against 4 to 8."""
        text = f"Beyond 3 {kind} bits accuracy does not improve significantly (3.6)"
        table = self._last() if kind == "weight" else self._last().T
        three, more = self._at(kind, 3), self._at(kind, 4, 5, 6, 7, 8)
        effect = columns(table, three, more)
        if effect is None:
            return Finding(text, None, _NEEDS)
        before = columns(table, self._at(kind, 2), three)
        gained = "" if before is None else f"; from 2 to 3 bits {_points(before)}"
        evidence = f"3 bits less 4 to 8: {_points(effect)}{gained}; significant: {SAME} points"
        return Finding(text, _within(effect), evidence)

    def weights_matter_more(self) -> Finding:
        """One bit of each kind against the most bits."""
        text = "Activation precision matters less for accuracy than weight precision (3.3)"
        table = self._last()
        square = self.weights == self.activations and len(self.weights) > 2
        if not square or np.isnan(table).any() or self.weights[0] != 1:
            return Finding(text, None, f"{_NEEDS}, the same of both kinds")
        weights, activations = (
            paired(table[1:, 0] - table[1:, -1]),
            paired(table[0, 1:] - table[-1, 1:]),
        )
        both = paired((table[1:, 0] - table[1:, -1]) - (table[0, 1:] - table[-1, 1:]))
        assert weights is not None and activations is not None and both is not None
        top = self.weights[-1]
        evidence = (
            f"one bit against {top}: weights {_points(weights)}, activations "
            f"{_points(activations)}; difference {_points(both)}"
        )
        return Finding(text, both.above(0), evidence)


_NEEDS = "needs trained networks of all widths, 1 to 3 bits and more among them"


def _within(effect: Effect) -> bool | None:
    """Whether an excess of error is less than SAME."""
    above = effect.above(SAME)
    return None if above is None else not above


def _after(epochs: int) -> str:
    return f"after {epochs} epoch{'s' * (epochs > 1)}"


def _all_fit(results: Results) -> Finding:
    fitting = sum(bool(result["fastest"]["fits"]) for result in results.values())
    text = f"Every network fits the board (the paper: {FITTED} of {NETWORKS})"
    evidence = f"{fitting} of {len(results)} fit"
    if alone := sum(bool(result["same_speed"]["fits"]) for result in results.values()):
        evidence += f", {alone} of them with all weights on the chip at the speed compared"
    return Finding(text, fitting == len(results), evidence)
