# SPDX-License-Identifier: Apache-2.0
"""Nearest Resize and Upsample, Gather of neighbours, and Expand become UpsampleNearestNeighbour."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from qnnc.compiler.ir.edit import attribute, constant, shape_of
from qnnc.compiler.ir.facts import Integer
from qnnc.compiler.lowering import Lowering
from qnnc.compiler.lowering.streams import (
    Streams,
    channels_last,
)
from qnnc.nodes.upsample_nearest_neighbour.nearest import picked_pixels
from qnnc.nodes.upsample_nearest_neighbour.node import UpsampleNearestNeighbour
from qnnc.nodes.upsample_nearest_neighbour.repeat import broadcast, define, pick


def resize(streams: Streams) -> None:
    """Nearest Resize and Upsample: by whole factors one node, else one for every run of pixels
    that come equally often."""
    node, x = streams.node, streams.source()
    shape, wanted = shape_of(x), shape_of(node.outputs[0])
    if shape[:2] != wanted[:2]:
        raise streams.error(
            f"Resize from {list(shape)} to {list(wanted)}; only the image may change its size"
        )
    pixels, width = picked_pixels(node), shape[-1]
    rows, columns = pixels[:, 0] // width, pixels[0] % width
    if not np.array_equal(pixels, rows[:, None] * width + columns):
        raise streams.error("Resize picks pixels that do not lie in rows and columns")
    height = shape[2] if len(shape) == 4 else 1
    factors = len(rows) // height, len(columns) // width
    evenly = all(
        factor and np.array_equal(picks, np.arange(size * factor) // factor)
        for picks, size, factor in ((rows, height, factors[0]), (columns, width, factors[1]))
    )
    if not evenly:
        axes = {2: rows, 3: columns} if len(shape) == 4 else {2: columns}
        pick(streams, x, axes)
        return
    image = streams.image(x)
    fact, channels = streams.fact(image), shape[1]
    out = len(rows), len(columns)
    y = streams.emit(
        UpsampleNearestNeighbour.create(
            channels=channels, image=(height, width), out_image=out, x=fact.type
        ),
        [image],
        [(1, *out, channels)],
        [Integer.of(fact.low.min(), fact.high.max(), datatype=fact.type)],
    )[0]
    assert math.prod(out) * channels == math.prod(wanted)
    streams.define(node.outputs[0], y, channels_last(wanted))


def gather(streams: Streams) -> None:
    """Gather with indices that never fall: each element any number of times."""
    node, x = streams.node, streams.source()
    indices = constant(node.inputs[1])
    assert indices is not None
    axis = int(attribute(node, "axis", 0)) % len(shape_of(x))
    pick(streams, x, {axis: indices.reshape(-1).astype(np.int64) % shape_of(x)[axis]})


def expand(streams: Streams) -> None:
    """Expand repeats a tensor along axes of size one."""
    x, shape = streams.source(), shape_of(streams.node.outputs[0])
    rank = len(shape)
    axes = [0, *range(2, rank), 1] if rank == 4 else list(range(rank))
    define(streams, streams.node.outputs[0], broadcast(streams, x, shape, axes), axes)


LOWERINGS: Mapping[str, Lowering] = {
    "Resize": resize,
    "Upsample": resize,
    "Gather": gather,
    "Expand": expand,
}
