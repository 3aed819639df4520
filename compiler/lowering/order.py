# SPDX-License-Identifier: Apache-2.0
"""Operators that only change the order of elements, which is free until a node needs another."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from qnnc.compiler.integer import layout
from qnnc.compiler.ir.edit import attribute, shape_of
from qnnc.compiler.ir.facts import IntArray
from qnnc.compiler.lowering.streams import Streams


def move(streams: Streams) -> None:
    """Reshape, Transpose, Flatten, Squeeze, Unsqueeze, DepthToSpace, SpaceToDepth."""
    node, x = streams.node, streams.source()
    laid = streams.layout_of(x)
    # number in the output of each element of the input
    place = np.empty(math.prod(shape_of(x)), dtype=np.int64)
    place[_picks(streams)] = np.arange(place.size)
    streams.follow(node.outputs[0], laid, place[laid.numbers])


def _picks(streams: Streams) -> IntArray:
    """For each element of the output its number in the input."""
    node, shape = streams.node, shape_of(streams.source())
    numbers = np.arange(math.prod(shape), dtype=np.int64).reshape(shape)
    if node.op_type == "Transpose":
        moved = numbers.transpose(attribute(node, "perm", list(range(len(shape)))[::-1]))
    elif node.op_type in layout.OPERATORS:
        moved = numbers
    else:
        moved = _pixel_shuffle(streams, numbers)
    picks: IntArray = moved.reshape(-1)
    return picks


def _pixel_shuffle(streams: Streams, numbers: IntArray) -> IntArray:
    node = streams.node
    b, c, h, w = numbers.shape
    size = int(attribute(node, "blocksize"))
    if node.op_type == "SpaceToDepth":
        apart = numbers.reshape(b, c, h // size, size, w // size, size)
        return apart.transpose(0, 3, 5, 1, 2, 4)
    mode = attribute(node, "mode", "DCR")
    if mode == "DCR":
        apart = numbers.reshape(b, size, size, c // size**2, h, w)
        return apart.transpose(0, 3, 4, 1, 5, 2)
    apart = numbers.reshape(b, c // size**2, size, size, h, w)
    return apart.transpose(0, 1, 4, 2, 5, 3)


def widening(streams: Streams) -> None:
    """A Cast to float64 has no hardware; its users have looked through it."""


LOWERINGS: Mapping[str, Callable[[Streams], None]] = {
    "Cast": widening,
    "DepthToSpace": move,
    "SpaceToDepth": move,
    **dict.fromkeys(layout.OPERATORS, move),
}
