# SPDX-License-Identifier: Apache-2.0
"""The paper's number formats, as plain arithmetic.

Section 2.3 of Bacchus et al., ARC 2020: n >= 2 bits are multiples of 2^-(n-2) from -(2 - 2^-(n-2))
to 2 - 2^-(n-2); the nearest is taken. One bit is -1 or 1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def step(bits: int) -> float:
    """Distance between two neighbours; of one bit it is that of -1 to 1."""
    return 2.0 if bits == 1 else 2.0 ** (2 - bits)


def largest(bits: int) -> float:
    """Largest number; the smallest is its negative."""
    return 1.0 if bits == 1 else 2.0 - step(bits)


def quantize(x: ArrayLike, bits: int) -> NDArray[np.float64]:
    """Numbers of the format nearest to `x`, of the same shape; a tie goes to the even multiple."""
    x = np.asarray(x, dtype=np.float64)
    if bits == 1:
        return np.where(x >= 0, 1.0, -1.0)
    return np.clip(np.round(x / step(bits)) * step(bits), -largest(bits), largest(bits))
