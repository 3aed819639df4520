# SPDX-License-Identifier: Apache-2.0
"""Configuration frames: 101 words of 32 bits, word 50 with the frame's own check bits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

WORDS = 101
BITS = 32 * WORDS
CHECK_WORD = 50
CHECK_BITS = 13

Words = NDArray[np.uint32]


def _syndromes() -> NDArray[np.uint16]:
    """What each bit of a frame adds to its check bits.

    A Hamming code over bit positions that skip the powers of two up to 4096: bit i of word w
    counts as 32·w + i plus 0x1320, 0x1340 from word 7 on and 0x1360 from word 38 on. The check
    bits themselves count nothing.
    """
    word = np.arange(WORDS)
    start = 32 * word + np.where(word > 37, 0x1360, np.where(word > 6, 0x1340, 0x1320))
    values = (start[:, None] + np.arange(32)).astype(np.uint16)
    values[CHECK_WORD, :CHECK_BITS] = 0
    flat: NDArray[np.uint16] = values.reshape(-1)
    return flat


_SYNDROMES = _syndromes()


def set_check_bits(frames: Words) -> None:
    """Put the check bits of each frame [n, 101] in their place."""
    frames[:, CHECK_WORD] &= np.uint32(0xFFFFFFFF << CHECK_BITS & 0xFFFFFFFF)
    busy = np.flatnonzero(frames.any(axis=1))
    if busy.size == 0:
        return
    data = frames[busy].astype("<u4").view(np.uint8)
    bits = np.unpackbits(data, axis=1, bitorder="little").astype(bool)
    check = np.bitwise_xor.reduce(np.where(bits, _SYNDROMES, np.uint16(0)), axis=1)
    parity = check & 0xFFF
    for shift in (8, 4, 2, 1):
        parity = parity ^ (parity >> shift)
    check = check ^ ((parity & 1) << 12)
    frames[busy, CHECK_WORD] |= check.astype(np.uint32) & np.uint32((1 << CHECK_BITS) - 1)
