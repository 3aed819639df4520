# SPDX-License-Identifier: Apache-2.0
"""Operands that differ along one dimension of a tensor, and tensors cut or joined along one."""

from __future__ import annotations

import math

import numpy as np
import onnx_ir as ir

from qnnc.compiler.ir.edit import shape_of
from qnnc.compiler.ir.facts import IntArray
from qnnc.compiler.lowering.streams import (
    StreamLayout,
    Streams,
    image_shape,
)


def with_last(streams: Streams, x: ir.Value, axis: int) -> StreamLayout:
    """The stream of a tensor with a given axis last, which is channels last for axis 1."""
    shape = shape_of(x)
    numbers = np.arange(math.prod(shape), dtype=np.int64).reshape(shape)
    moved = np.moveaxis(numbers, axis, -1)
    is_image = len(shape) in (3, 4) and axis == 1 - len(shape)
    stream = streams.ordered(
        x, moved.reshape(-1), image_shape(shape) if is_image else [int(d) for d in moved.shape]
    )
    return StreamLayout(stream, streams.layout_of(x).order)


def along_stream(
    values: IntArray, axis: int, shape: tuple[int, ...], laid: StreamLayout
) -> IntArray | None:
    """Values that broadcast along an axis of a tensor, for the stream's last dimension; None if
    they differ along others of its dimensions."""
    spread = values.reshape(-1, *(1,) * (-axis - 1))
    flat = np.broadcast_to(spread, shape).reshape(-1)[laid.numbers]
    rows = flat.reshape(-1, shape_of(laid.value)[-1])
    return rows[0] if bool(np.all(rows == rows[:1])) else None


def laid_out(streams: Streams, shape: tuple[int, ...], axis: int) -> tuple[bool, int]:
    """Whether a tensor goes as an image, and the number of elements that follow each other
    along an axis and all faster ones in the stream, as (image, elements per step of the axis)."""
    image = len(shape) in (3, 4) and axis != len(shape) - 1
    if len(shape) in (3, 4) and axis == 1:
        return True, 1
    if image or len(shape) == 4:
        fast = [shape[i] for i in range(axis + 1, len(shape))] + [shape[1]]
        return True, math.prod(fast)
    return False, math.prod(shape[axis + 1 :])
