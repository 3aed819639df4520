# SPDX-License-Identifier: Apache-2.0
"""What the tests of ConvolutionInputGenerator run over, and what it computes, in numpy."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
from qonnx.core.datatype import DataType

from qnnc.compiler.dataflow.folding import RamStyle
from qnnc.compiler.ir.facts import IntArray
from qnnc.nodes.convolution_input_generator.node import ConvolutionInputGenerator
from qnnc.nodes.testing import Case

Pair = tuple[int, int]


def cases() -> list[Case]:
    """Kernels, strides, dilations; foldings; memories; extremes; with and without prefetch."""
    found = [
        windows(image=(6, 7), kernel=(3, 3)),
        windows(image=(7, 5), kernel=(3, 2), stride=(2, 1), channels=4, simd=2),
        windows(image=(5, 9), kernel=(2, 3), stride=(1, 2), channels=3, simd=3, kind="INT5"),
        windows(image=(9, 8), kernel=(3, 3), dilation=(2, 1), channels=2, simd=2),
        windows(image=(8, 11), kernel=(2, 3), stride=(2, 3), dilation=(3, 2), channels=2),
        windows(image=(6, 6), kernel=(2, 2), stride=(2, 2), channels=6, simd=3, kind="BINARY"),
        windows(image=(8, 8), kernel=(2, 2), stride=(3, 3), channels=2, simd=2),
        windows(image=(7, 9), kernel=(1, 2), stride=(4, 5), channels=2, simd=1),
        windows(image=(4, 5), kernel=(4, 5), channels=2, simd=2),
        windows(image=(3, 3), kernel=(3, 3), channels=3, simd=1, kind="UINT8"),
        windows(image=(5, 3), kernel=(2, 3), channels=1, kind="INT2"),
        windows(image=(1, 12), kernel=(1, 3), channels=2, simd=1),
        windows(image=(1, 13), kernel=(1, 4), stride=(1, 2), dilation=(1, 2), channels=4, simd=4),
        windows(image=(9, 9), kernel=(3, 3), channels=16, simd=4, kind="UINT4", ram="block"),
        windows(image=(16, 8), kernel=(3, 3), stride=(2, 2), channels=8, simd=8, ram="block"),
        windows(image=(6, 40), kernel=(3, 3), channels=4, simd=2, kind="INT4", ram="block"),
    ]
    found += [replace(case, folding={**case.folding, "prefetch": 1}) for case in found]
    found += [
        windows(image=(4, 4), kernel=(1, 1)),
        windows(image=(5, 4), kernel=(1, 1), stride=(2, 2), channels=2, simd=1),
        windows(image=(1, 5), kernel=(1, 5), channels=2, simd=2),
        windows(image=(12, 1), kernel=(3, 1), stride=(2, 1), channels=2, simd=1),
        windows(image=(1, 1), kernel=(1, 1), channels=3, simd=1),
        windows(image=(10, 10), kernel=(5, 5), channels=1, kind="UINT8"),
        windows(image=(12, 4), kernel=(2, 2), stride=(5, 1), channels=2, simd=2),
    ]
    return found


def windows(
    *,
    image: Pair,
    kernel: Pair,
    channels: int = 1,
    stride: Pair = (1, 1),
    dilation: Pair = (1, 1),
    kind: str = "UINT2",
    simd: int = 1,
    ram: RamStyle = "distributed",
    prefetch: int = 0,
) -> Case:
    """A ConvolutionInputGenerator over an image [1, *image, channels]."""
    x = DataType[kind]
    down, across = (
        (i - (k - 1) * d - 1) // s + 1
        for i, k, s, d in zip(image, kernel, stride, dilation, strict=True)
    )
    new = ConvolutionInputGenerator.create(
        channels=channels,
        image=image,
        out_image=(down, across),
        kernel=kernel,
        stride=stride,
        dilation=dilation,
        x=x,
    )
    shapes = (1, *image, channels), (1, down, across, kernel[0] * kernel[1] * channels)
    definition = partial(_windows, (down, across), kernel, stride, dilation)
    folding = {"SIMD": simd, "ram_style": ram, "prefetch": prefetch}
    return Case(new, ((x, shapes[0]),), ((x, shapes[1]),), definition, folding)


def _windows(out: Pair, kernel: Pair, stride: Pair, dilation: Pair, x: IntArray) -> list[IntArray]:
    parts = []
    for down in range(kernel[0]):
        for across in range(kernel[1]):
            first = down * dilation[0], across * dilation[1]
            rows = slice(first[0], first[0] + (out[0] - 1) * stride[0] + 1, stride[0])
            columns = slice(first[1], first[1] + (out[1] - 1) * stride[1] + 1, stride[1])
            parts.append(x[:, :, rows, columns])
    return [np.concatenate(parts, axis=-1)]
