# SPDX-License-Identifier: Apache-2.0
"""Zeros between the pixels of an image become an FMPadding_Pixel."""

from __future__ import annotations

from collections.abc import Mapping

from qnnc.compiler.ir.edit import attribute, shape_of
from qnnc.compiler.ir.facts import Integer
from qnnc.compiler.lowering import Lowering
from qnnc.compiler.lowering.streams import (
    Streams,
    channels_last,
)
from qnnc.nodes.fm_padding_pixel.node import FMPadding_Pixel


def insert_zeros(streams: Streams) -> None:
    """Zeros between pixels become an FMPadding_Pixel."""
    node, x = streams.node, streams.source()
    image = streams.image(x)
    fact, (_, height, width, channels) = streams.fact(image), shape_of(image)
    strides = list(attribute(node, "strides"))
    down, across = strides if len(strides) == 2 else (1, *strides)
    y = streams.emit(
        FMPadding_Pixel.create(
            channels=channels, image=(height, width), stride=(down, across), x=fact.type
        ),
        [image],
        [(1, (height - 1) * down + 1, (width - 1) * across + 1, channels)],
        [Integer.of(min(0, fact.low.min()), max(0, fact.high.max()), datatype=fact.type)],
    )[0]
    streams.define(node.outputs[0], y, channels_last(shape_of(node.outputs[0])))


LOWERINGS: Mapping[str, Lowering] = {"InsertZeros": insert_zeros}
