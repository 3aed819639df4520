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
    """Error in percent after so many epochs, the mean over seeds."""

    def value(result: Result) -> float | None:
        found = errors(result, epochs)
        return sum(found) / len(found) if found else None

    return value


def errors(result: Result, epochs: int) -> list[float]:
    """Error in percent after so many epochs with each seed."""
    every = (result, *result.get("repeats", ()))
    return [float(r["epochs"][str(epochs)]["error"]) for r in every if str(epochs) in r["epochs"]]


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
