# SPDX-License-Identifier: Apache-2.0
"""Nearest Resize and Upsample become UpsampleNearestNeighbour."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from qnnc.compiler.ir.edit import shape_of
from qnnc.compiler.ir.facts import Integer
from qnnc.compiler.lowering import Lowering
from qnnc.compiler.lowering.streams import (
    Streams,
    channels_last,
)
from qnnc.nodes.upsample_nearest_neighbour.nearest import picked_pixels
from qnnc.nodes.upsample_nearest_neighbour.node import UpsampleNearestNeighbour


def resize(streams: Streams) -> None:
    """Nearest Resize and Upsample by whole factors become an UpsampleNearestNeighbour."""
    node, x = streams.node, streams.source()
    image = streams.image(x)
    fact, (_, height, width, channels) = streams.fact(image), shape_of(image)
    shape = shape_of(node.outputs[0])
    out = (1, shape[2]) if len(shape) == 3 else (shape[2], shape[3])
    if shape[1] != channels or out[0] % height or out[1] % width:
        raise streams.error(
            f"Resize from {height} x {width} to {out[0]} x {out[1]}; whole factors are supported"
        )
    rows = np.arange(out[0]) // (out[0] // height)
    columns = np.arange(out[1]) // (out[1] // width)
    if not np.array_equal(picked_pixels(node), rows[:, None] * width + columns):
        raise streams.error("Resize picks other pixels than the nearest above and to the left")
    y = streams.emit(
        UpsampleNearestNeighbour.create(
            channels=channels, image=(height, width), out_image=out, x=fact.type
        ),
        [image],
        [(1, *out, channels)],
        [Integer.of(fact.low.min(), fact.high.max(), datatype=fact.type)],
    )[0]
    assert math.prod(out) * channels == math.prod(shape)
    streams.define(node.outputs[0], y, channels_last(shape))


LOWERINGS: Mapping[str, Lowering] = {"Resize": resize, "Upsample": resize}
