# SPDX-License-Identifier: Apache-2.0
"""Borders of images become FMPadding."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import onnx_ir as ir

from qnnc.compiler.integer.window import Window
from qnnc.compiler.ir.edit import attribute, constant, shape_of
from qnnc.compiler.lowering import Lowering
from qnnc.compiler.lowering.streams import (
    Streams,
    channels_last,
    passed_on,
)
from qnnc.nodes.fm_padding.node import FMPadding


def padded(streams: Streams, image: ir.Value, window: Window, value: int) -> ir.Value:
    """The image with the window's padding."""
    if not window.is_padded:
        return image
    return border(streams, image, [*window.before, *window.after], value)


def border(streams: Streams, image: ir.Value, pads: list[int], value: int) -> ir.Value:
    """The image with a border [top, left, bottom, right] of a constant."""
    fact, (_, height, width, channels) = streams.fact(image), shape_of(image)
    if not fact.type.allowed(value):
        raise streams.error(f"padding with {value}, which its type {fact.type.name} lacks")
    shape = (1, height + pads[0] + pads[2], width + pads[1] + pads[3], channels)
    return streams.emit(
        FMPadding.create(
            channels=channels, image=(height, width), border=pads, x=fact.type, value=value
        ),
        [image],
        [shape],
        [
            passed_on(fact, range_of=(min(value, fact.low.min()), max(value, fact.high.max()))),
        ],
    )[0]


def pad(streams: Streams) -> None:
    """Pad: a border of an image is one FMPadding, along other axes one for each of them; negative
    pads cut off, and edges are repeated."""
    from qnnc.nodes.upsample_nearest_neighbour.repeat import along, axes_in_stream, define

    node, x = streams.node, streams.source()
    shape, pads = shape_of(x), pads_of(node)
    edge = attribute(node, "mode", "constant") == "edge"
    operand = constant(node.inputs[2]) if len(node.inputs) > 2 and not edge else None
    value = 0 if operand is None else int(np.asarray(operand).reshape(()))
    if len(shape) in (3, 4) and not edge and not any(pads[axis] != (0, 0) for axis in (0, 1)):
        rows, columns = ((0, 0), pads[2]) if len(shape) == 3 else (pads[2], pads[3])
        if min(*rows, *columns) >= 0:
            sides = [rows[0], columns[0], rows[1], columns[1]]
            y = border(streams, streams.image(x), sides, value)
            streams.define(node.outputs[0], y, channels_last(shape_of(node.outputs[0])))
            return
    stream, axes = axes_in_stream(streams, x)
    dims = [shape[axis] for axis in axes]
    for place, axis in enumerate(axes):
        before, after = pads[axis]
        picks = np.arange(-before if edge else max(0, -before), dims[place] + after)
        if not edge:
            picks = picks[picks < dims[place]]
        stream = along(streams, stream, dims, place, np.clip(picks, 0, dims[place] - 1))
        dims[place] = len(picks)
        sides = [0, max(0, before), 0, max(0, after)]
        if not edge and any(sides):
            slow, each = math.prod(dims[:place]), math.prod(dims[place + 1 :])
            whole = streams.reshaped(stream, (1, slow, dims[place], each))
            stream = border(streams, whole, sides, value)
            dims[place] += sum(sides)
    define(streams, node.outputs[0], stream, axes)


def pads_of(node: ir.Node) -> dict[int, tuple[int, int]]:
    """What a Pad adds before and after each axis; less than 0 where it cuts off."""
    source = node.inputs[0]
    assert source is not None
    rank = len(shape_of(source))
    given = np.asarray(constant(node.inputs[1])).reshape(-1).tolist()
    axes = constant(node.inputs[3]) if len(node.inputs) > 3 else None
    names = [int(a) % rank for a in axes.reshape(-1)] if axes is not None else list(range(rank))
    pads: dict[int, tuple[int, int]] = dict.fromkeys(range(rank), (0, 0))
    for i, axis in enumerate(names):
        pads[axis] = int(given[i]), int(given[i + len(names)])
    return pads


LOWERINGS: Mapping[str, Lowering] = {"Pad": pad}
