# SPDX-License-Identifier: Apache-2.0
"""What the tests of ConvolutionInputGenerator run over, and what it computes, in numpy."""

from __future__ import annotations

from functools import partial

import numpy as np
from qonnx.core.datatype import DataType

from qnnc.compiler.ir.facts import IntArray
from qnnc.nodes.convolution_input_generator.node import ConvolutionInputGenerator
from qnnc.nodes.testing import Case


def cases() -> list[Case]:
    """Strides and dilations, one channel a cycle and all, registers and block RAM."""
    return [
        case((6, 7), (3, 2), (1, 2), (1, 1), {"SIMD": 1}),
        case((7, 6), (2, 2), (2, 1), (2, 1), {"SIMD": 2, "ram_style": "block", "prefetch": 1}),
    ]


Pair = tuple[int, int]


def case(
    image: Pair, kernel: Pair, stride: Pair, dilation: Pair, folding: dict[str, int | str]
) -> Case:
    """Windows of an image with two channels."""
    x = DataType["UINT3"]
    out = (
        _out(image[0], kernel[0], stride[0], dilation[0]),
        _out(image[1], kernel[1], stride[1], dilation[1]),
    )
    new = ConvolutionInputGenerator.create(
        channels=2,
        image=image,
        out_image=out,
        kernel=kernel,
        stride=stride,
        dilation=dilation,
        x=x,
    )
    shapes = (1, *image, 2), (1, *out, kernel[0] * kernel[1] * 2)
    definition = partial(_windows, out, kernel, stride, dilation)
    return Case(new, ((x, shapes[0]),), ((x, shapes[1]),), definition, folding)


def _out(size: int, kernel: int, stride: int, dilation: int) -> int:
    return (size - (kernel - 1) * dilation - 1) // stride + 1


def _windows(out: Pair, kernel: Pair, stride: Pair, dilation: Pair, x: IntArray) -> list[IntArray]:
    parts = []
    for down in range(kernel[0]):
        for across in range(kernel[1]):
            first = down * dilation[0], across * dilation[1]
            rows = slice(first[0], first[0] + (out[0] - 1) * stride[0] + 1, stride[0])
            columns = slice(first[1], first[1] + (out[1] - 1) * stride[1] + 1, stride[1])
            parts.append(x[:, :, rows, columns])
    return [np.concatenate(parts, axis=-1)]
