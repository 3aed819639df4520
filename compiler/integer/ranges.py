# SPDX-License-Identifier: Apache-2.0
"""Exact ranges of sums."""

from __future__ import annotations

import numpy as np

from qnnc.compiler.ir.facts import IntArray


def sum_range(low: IntArray, high: IntArray, weights: IntArray) -> tuple[IntArray, IntArray]:
    """Exact range of each of the M sums over all inputs between low [K] and high [K].

    Args:
        weights: [K, M].
    """
    positive, negative = np.maximum(weights, 0), np.minimum(weights, 0)
    return low @ positive + high @ negative, high @ positive + low @ negative
