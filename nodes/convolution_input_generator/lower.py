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


def windows(streams: Streams, image: ir.Value, window: Window) -> ir.Value:
    """The windows of an image that is padded already, as vectors."""
    fact, channels = streams.fact(image), shape_of(image)[-1]
    if window.elements == 1 and window.stride == (1, 1):
        return image
    shape = (1, *window.out, window.elements * channels)
    return streams.emit(
        "ConvolutionInputGenerator",
        [image],
        {
            "ConvKernelDim": list(window.kernel),
            "IFMChannels": channels,
            "IFMDim": list(window.padded),
            "OFMDim": list(window.out),
            "Stride": list(window.stride),
            "Dilation": list(window.dilation),
            "SIMD": 1,
            "inputDataType": fact.type.name,
            "outputDataType": fact.type.name,
            "depthwise": 0,
        },
        [shape],
        [passed_on(fact)],
    )[0]
