# SPDX-License-Identifier: Apache-2.0
"""InsertZeros: strides - 1 zeros between neighbouring pixels of [N, C, H, W] or [N, C, L]."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from qnnc.compiler.ir.builder import Builder
from qnnc.compiler.ir.edit import attribute, shape_of


def reference(node: ir.Node, b: Builder, inputs: Sequence[ir.Value]) -> list[ir.Value]:
    """Zeros after each pixel along each axis, and those after the last cut off."""
    source = node.inputs[0]
    assert source is not None
    shape, y = list(shape_of(source)), inputs[0]
    for axis, stride in zip(range(2, len(shape)), attribute(node, "strides"), strict=True):
        if stride == 1:
            continue
        y = b.op("Unsqueeze", y, b.constant([axis + 1], np.int64))
        pads = [0] * (2 * (len(shape) + 1))
        pads[-1 - len(shape) + axis + 1] = stride - 1
        y = b.op("Pad", y, b.constant(pads, np.int64))
        spaced = [0, *shape[1:axis], shape[axis] * stride, *shape[axis + 1 :]]
        y = b.op("Reshape", y, b.constant(spaced, np.int64))
        shape[axis] = (shape[axis] - 1) * stride + 1
        ends = [b.constant([n], np.int64) for n in (0, shape[axis], axis)]
        y = b.op("Slice", y, *ends)
    return [y]
