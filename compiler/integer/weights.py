# SPDX-License-Identifier: Apache-2.0
"""Constant weights on a common grid: where their scales differ from weight to weight, and where
those of the inputs that they meet do."""

from __future__ import annotations

import numpy as np

from qnnc.compiler.errors import Unsupported
from qnnc.compiler.integer.join import common_grid
from qnnc.compiler.ir.facts import FloatArray, IntArray

MOST_BITS = 20
"""Bits of a weight on the common grid at most: beyond it its quantization says nothing."""
MOST_WITH_INPUTS = 16
"""Bits of a weight at most that takes in the ratio of its input's scale to a common one."""


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


def with_input_scales(codes: IntArray, scales: FloatArray, inputs: int) -> tuple[IntArray, float]:
    """Weights whose inputs have scales of their own, as weights for inputs of one scale: each is
    multiplied by its input's scale over the common one, where that is an integer.

    Args:
        codes: the weights.
        scales: of the inputs, [K].
        inputs: the weights' axis of K inputs.

    Returns:
        Weights, and the common scale.

    Raises:
        Unsupported: the scales are not multiples of a common one, or weights take too many bits.
    """
    factors, common = _multiples(scales)
    spread = [1] * codes.ndim
    spread[inputs] = -1
    found = codes * factors.reshape(spread)
    bits = int(np.abs(found).max(initial=0)).bit_length() + 1
    if bits > MOST_WITH_INPUTS:
        raise Unsupported(
            f"the input has scales that differ among channels so much that weights take {bits} "
            f"bits on a common grid, {MOST_WITH_INPUTS} are the most; quantize it per tensor"
        )
    return found, common


def _multiples(scales: FloatArray) -> tuple[IntArray, float]:
    """Integers and a common scale whose products the scales are: powers of two of any size, or
    small multiples."""
    positive = np.abs(scales[scales != 0])
    if positive.size and np.all(np.frexp(positive / positive.min())[0] == 0.5):
        return np.rint(scales / positive.min()).astype(np.int64), float(positive.min())
    try:
        factors, grid = common_grid(list(scales))
    except Unsupported:
        low, high = positive.min(), positive.max()
        raise Unsupported(
            f"the input has scales that differ among channels, from {low:.6g} to {high:.6g}, and "
            "are not small multiples of a common one; quantize it per tensor, or with scales that "
            "are powers of two times one"
        ) from None
    return np.array([int(f) for f in factors]), float(grid)
