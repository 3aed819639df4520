# SPDX-License-Identifier: Apache-2.0
"""Results laid out by weight and activation width."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qnnc.explore.results import Result
from qnnc.explore.study import Study

Value = Callable[[Result], float | None]


def grid(study: Study, results: Mapping[str, Result], value: Value) -> NDArray[np.float64]:
    """A value of every network, [activation widths, weight widths]; NaN where there is none."""
    bits = study.quantization
    table = np.full((len(bits.activations), len(bits.weights)), np.nan)
    for i, a in enumerate(bits.activations):
        for j, w in enumerate(bits.weights):
            result = results.get(f"W{w}A{a}")
            found = None if result is None else value(result)
            table[i, j] = np.nan if found is None else found
    return table


def error(epochs: int) -> Value:
    """Error in percent after so many epochs."""

    def value(result: Result) -> float | None:
        found = result["epochs"].get(str(epochs))
        return None if found is None else float(found["error"])

    return value


def resource(name: str, goal: str = "same_speed") -> Value:
    """An estimated resource of one of the two builds."""

    def value(result: Result) -> float | None:
        counts: dict[str, Any] = result[goal].get("estimate") or {}
        return None if name not in counts else float(counts[name])

    return value


def figure(name: str, goal: str = "fastest") -> Value:
    """Another figure of one of the two builds, such as "fps"."""

    def value(result: Result) -> float | None:
        found = result[goal].get(name)
        return None if found is None else float(found)

    return value


def shares_of_variance(table: NDArray[np.float64]) -> tuple[float, float] | None:
    """How much of a table's variance its columns' means (weight widths) and its rows' means
    (activation widths) explain; None if cells are missing or all are the same."""
    if np.isnan(table).any() or table.size < 2 or not table.var() > 0:
        return None
    total = table.var()
    return float(table.mean(axis=0).var() / total), float(table.mean(axis=1).var() / total)
