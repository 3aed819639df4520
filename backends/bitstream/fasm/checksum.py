# SPDX-License-Identifier: Apache-2.0
"""The checksum of a configuration: CRC-32C over 37 bits per word, 32 of data and 5 of the
register's address, the lowest first."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

_POLYNOMIAL = 0x82F63B78
_LANES = 1024
"""Parts of a long block that are computed side by side."""

Words = NDArray[np.uint32]


def _steps(values: int, bits: int) -> Words:
    state = np.arange(values, dtype=np.uint32)
    for _ in range(bits):
        state = state >> np.uint32(1) ^ np.where(state & 1, np.uint32(_POLYNOMIAL), np.uint32(0))
    return state


_BYTE, _ADDRESS = _steps(256, 8), _steps(32, 5)


def _word(state: Words, words: Words, register: Words) -> Words:
    """The states after one more word each."""
    state = state ^ words
    for _ in range(4):
        state = state >> np.uint32(8) ^ _BYTE[state & 0xFF]
    state = state ^ register
    result: Words = state >> np.uint32(5) ^ _ADDRESS[state & 0x1F]
    return result


def checksum(writes: Iterable[tuple[int, Words]], state: int = 0) -> int:
    """The checksum after words written to registers.

    Args:
        writes: (register, words).
        state: the checksum before.
    """
    for register, words in writes:
        state = _block(state, register, np.asarray(words, dtype=np.uint32))
    return state


def _block(state: int, register: int, words: Words) -> int:
    """A block of words; a long one in parts, which the code's linearity joins again."""
    length = len(words) // _LANES
    joined = np.array([state], dtype=np.uint32)
    if length:
        parts = words[: length * _LANES].reshape(_LANES, length)
        # after the parts, what each bit of a state becomes over `length` words of nothing
        bits = np.uint32(1) << np.arange(32, dtype=np.uint32)
        lanes = np.concatenate([np.zeros(_LANES, np.uint32), bits])
        padded = np.concatenate([parts, np.zeros((32, length), np.uint32)])
        start = np.concatenate([np.full(_LANES, register), np.zeros(32)]).astype(np.uint32)
        for column in np.ascontiguousarray(padded.T):
            lanes = _word(lanes, column, start)
        ends, basis = lanes[:_LANES], lanes[_LANES:]
        value = state
        for end in ends.tolist():
            moved = 0
            for bit in range(32):
                if value >> bit & 1:
                    moved ^= int(basis[bit])
            value = moved ^ end
        joined = np.array([value], dtype=np.uint32)
    for word in words[length * _LANES :]:
        joined = _word(joined, word, np.full(1, register, np.uint32))
    return int(joined[0])
