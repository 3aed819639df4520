# SPDX-License-Identifier: Apache-2.0
"""Picking pixels of a channels-last image in standard operators, for nodes that move them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from qnnc.compiler.ir.builder import Builder
from qnnc.compiler.ir.facts import IntArray


def gather_pixels(
    b: Builder, x: ir.Value, indices: IntArray, shape: Sequence[int], channels: int
) -> ir.Value:
    """Pixels of x [1, H, W, C] by their number (row by row), as a tensor of another shape.

    Args:
        indices: flat; -1 stands for a pixel of zeros.
        shape: of the result, batch of one included.
        channels: C.
    """
    pixels = b.op("Reshape", x, b.constant([0, -1, channels], np.int64))
    if np.any(indices < 0):
        # one more pixel in front, of zeros, which index -1 + 1 picks
        pads = b.constant([0, 1, 0, 0, 0, 0], np.int64)
        pixels, indices = b.op("Pad", pixels, pads), indices + 1
    picked = b.op("Gather", pixels, b.constant(indices.reshape(-1), np.int64), axis=1)
    return b.op("Reshape", picked, b.constant([0, *shape[1:]], np.int64))
