# SPDX-License-Identifier: Apache-2.0
"""Weights in canonical signed digits: the fewest powers of two, added or subtracted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def signed_digits(weights: NDArray[np.int64]) -> NDArray[np.int8]:
    """Digits -1, 0 and +1 of weights [...], lowest first along a new last axis.

    No two neighbours are both other than 0 (the non-adjacent form): with e = 3|w| XOR |w|, digit k
    is other than 0 where bit k + 1 of e is set, and negative where that bit of |w| is set.
    """
    size = np.abs(weights)
    places = max(1, int(size.max(initial=0)).bit_length() + 1)
    bits = np.arange(1, places + 1)
    triple = 3 * size
    found = (((triple ^ size)[..., None] >> bits) & 1).astype(np.int8)
    negative = ((size[..., None] >> bits) & 1).astype(np.int8)
    digits: NDArray[np.int8] = (
        found * (1 - 2 * negative) * np.sign(weights)[..., None].astype(np.int8)
    )
    while digits.shape[-1] > 1 and not digits[..., -1].any():
        digits = digits[..., :-1]
    return digits
