# SPDX-License-Identifier: Apache-2.0
"""Concat, Split and Slice."""

from __future__ import annotations

import math

import numpy as np

from qnnc.compiler.ir.edit import attribute, constant, shape_of
from qnnc.compiler.ir.facts import Integer
from qnnc.compiler.lowering.streams import Streams, channels_last, image_shape


def _laid_out(streams: Streams, shape: tuple[int, ...], axis: int) -> tuple[bool, int]:
    """Whether a tensor goes as an image, and the number of elements that follow each other
    along an axis and all faster ones in the stream, as (image, elements a step of the axis)."""
    image = len(shape) in (3, 4) and axis != len(shape) - 1
    if len(shape) in (3, 4) and axis == 1:
        return True, 1
    if image or len(shape) == 4:
        fast = [shape[i] for i in range(axis + 1, len(shape))] + [shape[1]]
        return True, math.prod(fast)
    return False, math.prod(shape[axis + 1 :])


def concat(streams: Streams) -> None:
    """Concat along any axis: what follows each other in the stream is put side by side."""
    node = streams.node
    values = [streams.source(i) for i in range(len(node.inputs))]
    output = node.outputs[0]
    shape = shape_of(output)
    axis = int(attribute(node, "axis")) % len(shape)
    as_image, step = _laid_out(streams, shape, axis)
    inputs = []
    sizes = [shape_of(v)[axis] * step for v in values]
    slow = math.prod(shape) // sum(sizes)
    for value, size in zip(values, sizes, strict=True):
        stream = streams.image(value) if as_image else streams.plain(value)
        wanted = shape_of(stream) if as_image and axis == 1 else (1, slow, size)
        inputs.append(streams.reshaped(stream, wanted))
    fact = streams.fact(output)
    whole = image_shape(shape) if as_image else shape
    vectors = shape_of(inputs[0])[:-1]
    y = streams.emit(
        "StreamingConcat",
        inputs,
        {
            "SIMD": 1,
            "ChannelsPerStream": sizes,
            "inputDataTypes": [streams.fact(v).type.name for v in inputs],
            "outputDataType": fact.type.name,
            "numInputVectors": list(vectors),
        },
        [(*vectors, sum(sizes))],
        [Integer.of(fact.low.min(), fact.high.max())],
    )[0]
    y = streams.reshaped(y, whole)
    streams.define(output, y, channels_last(shape) if as_image else None)


def split(streams: Streams) -> None:
    """Split along the channels."""
    node = streams.node
    shape = shape_of(streams.source())
    axis = int(attribute(node, "axis", 0)) % len(shape)
    sizes = [shape_of(v)[axis] for v in node.outputs]
    _split(streams, axis, sizes, dict(enumerate(node.outputs)))


def cut(streams: Streams) -> None:
    """Slice of some neighbouring channels: a split of which one part is used."""
    node = streams.node
    shape = shape_of(streams.source())
    arrays = [constant(v) for v in node.inputs[1:]]
    starts, ends = (np.asarray(a).reshape(-1) for a in arrays[:2])
    axes = arrays[2].reshape(-1) if len(arrays) > 2 and arrays[2] is not None else None
    steps = arrays[3].reshape(-1) if len(arrays) > 3 and arrays[3] is not None else None
    names = [int(a) % len(shape) for a in axes] if axes is not None else list(range(len(starts)))
    ranges = {a: range(n) for a, n in enumerate(shape)}
    for i, axis in enumerate(names):
        step = 1 if steps is None else int(steps[i])
        ranges[axis] = range(shape[axis])[slice(int(starts[i]), int(ends[i]), step)]
    cut_axes = [a for a in names if len(ranges[a]) != shape[a] or ranges[a].step != 1]
    if not cut_axes:
        laid = streams.laid(streams.source())
        streams.follow(node.outputs[0], laid, laid.order)
        return
    if len(cut_axes) > 1 or ranges[cut_axes[0]].step != 1:
        raise streams.error("a Slice along several axes, or in steps")
    kept = ranges[cut_axes[0]]
    sizes = [kept.start, len(kept), shape[cut_axes[0]] - kept.stop]
    index = 1 if sizes[0] else 0
    _split(streams, cut_axes[0], [n for n in sizes if n], {index: node.outputs[0]})


def _split(streams: Streams, axis: int, sizes: list[int], outputs: dict[int, object]) -> None:
    x = streams.source()
    shape = shape_of(x)
    as_image, step = _laid_out(streams, shape, axis)
    stream = streams.image(x) if as_image else streams.plain(x)
    counts = [size * step for size in sizes]
    slow = math.prod(shape) // sum(counts)
    if not (as_image and axis == 1):
        stream = streams.reshaped(stream, (1, slow, sum(counts)))
    fact = streams.fact(stream)
    vectors = shape_of(stream)[:-1]
    parts = streams.emit(
        "StreamingSplit",
        [stream],
        {
            "SIMD": 1,
            "ChannelsPerStream": counts,
            "inputDataType": fact.type.name,
            "numInputVectors": list(vectors),
        },
        [(*vectors, count) for count in counts],
        [Integer.of(fact.low.min(), fact.high.max(), datatype=fact.type) for _ in counts],
    )
    for index, output in enumerate(streams.node.outputs):
        place = index if len(outputs) > 1 or 0 in outputs else next(iter(outputs))
        if len(outputs) == 1:
            place = next(iter(outputs))
        wanted = shape_of(output)
        y = streams.reshaped(parts[place], image_shape(wanted) if as_image else wanted)
        streams.define(output, y, channels_last(wanted) if as_image else None)
