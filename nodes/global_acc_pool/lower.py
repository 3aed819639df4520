# SPDX-License-Identifier: Apache-2.0
"""The sum over a whole image becomes a GlobalAccPool."""

from __future__ import annotations

import onnx_ir as ir

from qnnc.compiler.ir.edit import shape_of
from qnnc.compiler.ir.facts import Integer
from qnnc.compiler.lowering.streams import (
    Streams,
)
from qnnc.nodes.global_acc_pool.node import GlobalAccPool


def total(streams: Streams, image: ir.Value, result: Integer) -> ir.Value:
    """The sum of every channel of an image [1, H, W, C], as [1, 1, 1, C]."""
    _, height, width, channels = shape_of(image)
    return streams.emit(
        GlobalAccPool.create(
            channels=channels, image=(height, width), x=streams.fact(image).type, out=result.type
        ),
        [image],
        [(1, 1, 1, channels)],
        [result],
    )[0]
