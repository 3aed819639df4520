# SPDX-License-Identifier: Apache-2.0
"""The sum over a whole image becomes a GlobalAccPool."""

from __future__ import annotations

import onnx_ir as ir

from qnnc.compiler.ir.edit import shape_of
from qnnc.compiler.ir.facts import Integer
from qnnc.compiler.lowering.streams import (
    Streams,
)


def total(streams: Streams, image: ir.Value, result: Integer) -> ir.Value:
    """The sum of every channel of an image [1, H, W, C], as [1, 1, 1, C]."""
    _, height, width, channels = shape_of(image)
    return streams.emit(
        "GlobalAccPool",
        [image],
        {
            "NumChannels": channels,
            "PE": 1,
            "inputDataType": streams.fact(image).type.name,
            "outputDataType": result.type.name,
            "numInputVectors": [1, height, width],
        },
        [(1, 1, 1, channels)],
        [result],
    )[0]
