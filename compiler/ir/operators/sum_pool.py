# SPDX-License-Identifier: Apache-2.0
"""SumPool: the sum of each window of [N, C, H, W] or [N, C, L]; attributes as of ONNX's pools."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from qnnc.compiler.ir.builder import Builder
from qnnc.compiler.ir.edit import attribute, shape_of


def reference(node: ir.Node, b: Builder, inputs: Sequence[ir.Value]) -> list[ir.Value]:
    """A depthwise convolution with ones, exact up to 2**24."""
    source = node.inputs[0]
    assert source is not None
    channels = shape_of(source)[1]
    kernel = list(attribute(node, "kernel_shape"))
    ones = np.ones((channels, 1, *kernel))
    return [
        b.op(
            "Conv",
            inputs[0],
            b.constant(ones),
            group=channels,
            strides=attribute(node, "strides"),
            dilations=attribute(node, "dilations"),
            pads=attribute(node, "pads"),
        )
    ]
