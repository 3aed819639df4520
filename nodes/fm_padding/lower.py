# SPDX-License-Identifier: Apache-2.0
"""Borders of images become FMPadding."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx_ir as ir

from qnnc.compiler.integer.window import Window
from qnnc.compiler.ir.edit import constant, shape_of
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
    """Pad becomes an FMPadding; only the image's axes can be padded."""
    node, x = streams.node, streams.source()
    rank = len(shape_of(x))
    given = np.asarray(constant(node.inputs[1])).reshape(-1).tolist()
    axes = constant(node.inputs[3]) if len(node.inputs) > 3 else None
    pads = dict.fromkeys(range(rank), (0, 0))
    names = [int(a) % rank for a in axes.reshape(-1)] if axes is not None else list(range(rank))
    for i, axis in enumerate(names):
        pads[axis] = int(given[i]), int(given[i + len(names)])
    if any(sum(pads[axis]) for axis in (0, 1)) or min(min(p) for p in pads.values()) < 0:
        raise streams.error("only the rows and columns of an image can be padded")
    rows, columns = ((0, 0), pads[2]) if rank == 3 else (pads[2], pads[3])
    operand = constant(node.inputs[2]) if len(node.inputs) > 2 else None
    value = 0 if operand is None else int(np.asarray(operand).reshape(()))
    y = border(streams, streams.image(x), [rows[0], columns[0], rows[1], columns[1]], value)
    streams.define(node.outputs[0], y, channels_last(shape_of(node.outputs[0])))


LOWERINGS: Mapping[str, Lowering] = {"Pad": pad}
