# SPDX-License-Identifier: Apache-2.0
"""Constant weights whose scale differs from weight to weight, on a common grid."""

from __future__ import annotations

import numpy as np

from qnnc.compiler.errors import Unsupported
from qnnc.compiler.ir.facts import FloatArray, IntArray

MOST_BITS = 20
"""Bits of a weight on the common grid at most: beyond it its quantization says nothing."""


def primitive(codes: IntArray, scale: FloatArray) -> tuple[IntArray, FloatArray]:
    """The same weights, of any shape, with their common divisor in the scales, which broadcast
    against them."""
    divisor = int(np.gcd.reduce(codes, axis=None)) or 1
    return codes // divisor, scale * divisor


def on_one_grid(codes: IntArray, scale: FloatArray, outputs: int) -> tuple[IntArray, FloatArray]:
    """Weights and scales that differ along other axes than that of the outputs, as weights with
    one scale for each output: codes times a power of two where all scales are the smallest one
    times one.

    Args:
        codes: the weights.
        scale: broadcasts against them.
        outputs: the outputs' axis.

    Returns:
        Weights, and scales that broadcast against them.

    Raises:
        Unsupported: the ratios of the scales are not powers of two, or too large.
    """
    full = np.broadcast_to(scale, codes.shape)
    others = tuple(axis for axis in range(codes.ndim) if axis != outputs)
    least = np.where(codes != 0, full, np.inf).min(axis=others, keepdims=True)
    least = np.where(np.isfinite(least), least, full.min(axis=others, keepdims=True))
    ratio = np.where(codes != 0, full / least, 1.0)
    mantissa, exponent = np.frexp(ratio)
    if np.any(mantissa != 0.5):
        raise Unsupported(
            "weights whose scales differ within an output, by ratios that are not powers of two; "
            "quantize them per tensor or per output, or with scales that are powers of two"
        )
    largest = int(np.abs(codes).max(initial=1)).bit_length() + int(exponent.max()) - 1
    if largest > MOST_BITS:
        raise Unsupported(
            f"weights whose scales differ so much that they take {largest} bits on a common grid, "
            f"{MOST_BITS} are the most; quantize them per tensor or per output"
        )
    return codes << (exponent - 1).astype(np.int64), least
