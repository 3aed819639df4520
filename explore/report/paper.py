# SPDX-License-Identifier: Apache-2.0
"""What Bacchus et al., ARC 2020, report; their heat maps' cells are not printed as numbers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Extremes:
    """Worst and best of the paper's 64 networks (its table 2)."""

    metric: str
    unit: str
    worst: float
    best: float


TABLE_2 = (
    Extremes("error", "%", 2.07, 1.52),
    Extremes("BRAM18", "", 1643, 224),
    Extremes("FF", "", 226_282, 31_954),
    Extremes("LUT", "", 223_910, 53_336),
)
NETWORKS, FITTED = 64, 4
"""How many networks, and how many of them fitted the Z7020 (its section 3.2)."""

ENOUGH_EPOCHS = 50
"""From how many epochs on two bits of weights are enough (its section 3.6)."""

RADAR = {
    "Weights (activations at 4 bits)": ("W1A4", "W3A4", "W6A4", "W8A4"),
    "Activations (weights at 4 bits)": ("W4A1", "W4A3", "W4A6", "W4A8"),
    "Both": ("W1A1", "W2A2", "W4A4", "W7A7"),
}
"""The networks of its figure 7; of a smaller grid, those that are there are drawn."""
