# SPDX-License-Identifier: Apache-2.0
"""Random choices that follow from a seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np

Item = TypeVar("Item")


class Choices:
    """Draws numbers and items."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def number(self, low: int, high: int) -> int:
        """An integer from low to high, both included."""
        return int(self.rng.integers(low, high, endpoint=True))

    def real(self, low: float, high: float) -> float:
        """A float32 number between low and high."""
        return float(np.float32(self.rng.uniform(low, high)))

    def chance(self, share: float) -> bool:
        """True in that share of all cases."""
        return bool(self.rng.random() < share)

    def item(self, items: Sequence[Item]) -> Item:
        """One of some items."""
        return items[self.number(0, len(items) - 1)]

    def weighted(self, items: Mapping[Item, float]) -> Item:
        """One of some items, each as often as its weight says."""
        names, weights = list(items), np.array(list(items.values()), dtype=float)
        return names[int(self.rng.choice(len(names), p=weights / weights.sum()))]
