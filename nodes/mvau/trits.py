# SPDX-License-Identifier: Apache-2.0
"""Five weights of -1, 0 and +1 in eight bits, of which they have 3**5 = 243 states.

The code is chosen for its decoder (`qnnc_trits`), about three LUTs per weight: with d = t mod 3,
the last two numbers have nine states, of which eight go into three bits b, while 9 d0 + 3 d1 + d2,
0 to 26, goes into five bits a. Where the last two are both -1, a is 28 + d0 and b has the state of
the middle two; where these are -1 as well, a is 31 and b is d0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FIVE, CODE_BITS = 5, 8
DECODER_LUTS = 16
"""LUTs of a decoder of five, as Yosys maps it."""


def coded_bits(count: int) -> int:
    """Bits of `count` weights: what is left over from fives takes two bits each."""
    return CODE_BITS * (count // FIVE) + 2 * (count % FIVE)


def decoder_luts(count: int) -> float:
    """LUTs that bring `count` weights back to two bits each."""
    return DECODER_LUTS * (count // FIVE)


def code_of_five(trits: NDArray[np.int64]) -> NDArray[np.int64]:
    """Codes [...] of five numbers [..., 5]."""
    d = trits % 3
    middle, last = 3 * d[..., 1] + d[..., 2], 3 * d[..., 3] + d[..., 4]
    plain = 9 * d[..., 0] + middle + (last << 5)
    escaped = np.where(middle < 8, 28 + d[..., 0] + (middle << 5), 31 + (d[..., 0] << 5))
    codes: NDArray[np.int64] = np.where(last < 8, plain, escaped)
    return codes


def coded(trits: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Bits [words, coded_bits(n)] of words of n numbers [words, n]."""
    words, count = trits.shape
    fives = count // FIVE * FIVE
    codes = code_of_five(trits[:, :fives].reshape(words, -1, FIVE))
    head = (codes[..., None] >> np.arange(CODE_BITS)) & 1
    tail = (trits[:, fives:, None] >> np.arange(2)) & 1
    return np.concatenate([head.reshape(words, -1), tail.reshape(words, -1)], axis=1).astype(
        np.uint8
    )
