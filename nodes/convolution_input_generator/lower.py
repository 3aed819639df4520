# SPDX-License-Identifier: Apache-2.0
"""Windows of images become ConvolutionInputGenerator, for products and pools."""

from __future__ import annotations

import onnx_ir as ir

from qnnc.compiler.integer.window import Window
from qnnc.compiler.ir.edit import shape_of
from qnnc.compiler.lowering.streams import (
    Streams,
    passed_on,
)
from qnnc.nodes.convolution_input_generator.node import ConvolutionInputGenerator


def windows(streams: Streams, image: ir.Value, window: Window) -> ir.Value:
    """The windows of an image that is padded already, as vectors."""
    fact, channels = streams.fact(image), shape_of(image)[-1]
    if window.elements == 1 and window.stride == (1, 1):
        return image
    shape = (1, *window.out, window.elements * channels)
    return streams.emit(
        ConvolutionInputGenerator.create(
            channels=channels,
            image=window.padded,
            out_image=window.out,
            kernel=window.kernel,
            stride=window.stride,
            dilation=window.dilation,
            x=fact.type,
        ),
        [image],
        [shape],
        [passed_on(fact)],
    )[0]
