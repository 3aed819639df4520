# SPDX-License-Identifier: Apache-2.0
"""Tensors of integers as the words of a stream, and back. Vectorised."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from qonnx.core.datatype import BaseDataType

from qnnc.compiler.datatypes import BIPOLAR


def pack_words(
    values: NDArray[np.floating] | NDArray[np.integer],
    kind: BaseDataType,
    lanes: int,
    word_bytes: int,
) -> NDArray[np.uint8]:
    """Words of `lanes` elements each, element 0 in the low bits, two's complement.

    Args:
        values: integers in the order of the stream; their number is a multiple of lanes.
        word_bytes: bytes per word, high bits zero.

    Returns:
        [words, word_bytes], little-endian.
    """
    bits = kind.bitwidth()
    flat = np.rint(np.asarray(values)).astype(np.int64).reshape(-1, lanes)
    if kind == BIPOLAR:
        flat = (flat + 1) // 2
    if bits == 8:
        packed = (flat & 0xFF).astype(np.uint8)
    else:
        spread = (flat[:, :, None] >> np.arange(bits)) & 1
        packed = np.packbits(
            spread.astype(np.uint8).reshape(len(flat), -1), axis=1, bitorder="little"
        )
    result = np.zeros((len(flat), word_bytes), dtype=np.uint8)
    result[:, : packed.shape[1]] = packed
    return result


def unpack_words(words: NDArray[np.uint8], kind: BaseDataType, lanes: int) -> NDArray[np.int64]:
    """Integers from words [words, bytes], flat and in the order of the stream."""
    bits = kind.bitwidth()
    unpacked = np.unpackbits(words, axis=1, bitorder="little", count=lanes * bits)
    elements = unpacked.reshape(len(words), lanes, bits).astype(np.int64)
    values: NDArray[np.int64] = elements @ (np.int64(1) << np.arange(bits))
    if kind == BIPOLAR:
        values = 2 * values - 1
    elif kind.min() < 0:
        values = np.where(values >> (bits - 1) & 1, values - (1 << bits), values)
    return values.reshape(-1)
