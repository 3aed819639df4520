# SPDX-License-Identifier: Apache-2.0
"""Split and Slice become a StreamingSplit."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import onnx_ir as ir

from qnnc.compiler.ir.edit import attribute, constant, shape_of
from qnnc.compiler.ir.facts import Integer
from qnnc.compiler.lowering import Lowering
from qnnc.compiler.lowering.channels import laid_out
from qnnc.compiler.lowering.streams import (
    Streams,
    channels_last,
    image_shape,
)
from qnnc.nodes.reverse_steps.lower import reverse
from qnnc.nodes.streaming_split.node import StreamingSplit


def split(streams: Streams) -> None:
    """Split along the channels."""
    node = streams.node
    shape = shape_of(streams.source())
    axis = int(attribute(node, "axis", 0)) % len(shape)
    sizes = [shape_of(v)[axis] for v in node.outputs]
    _split(streams, axis, sizes, dict(enumerate(node.outputs)))


def cut(streams: Streams) -> None:
    """Slice: of neighbours along one axis a split of which one part is used; along several axes
    or in steps one after the other."""
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
        laid = streams.layout_of(streams.source())
        streams.follow(node.outputs[0], laid, laid.order)
        return
    if len(cut_axes) == 1 and ranges[cut_axes[0]] == range(shape[cut_axes[0]])[::-1]:
        reverse(streams, cut_axes[0])
        return
    if len(cut_axes) > 1 or ranges[cut_axes[0]].step != 1:
        from qnnc.nodes.upsample_nearest_neighbour.repeat import pick  # which uses this module

        picks = {axis: np.array(ranges[axis], dtype=np.int64) for axis in sorted(cut_axes)}
        pick(streams, streams.source(), picks)
        return
    kept = ranges[cut_axes[0]]
    sizes = [kept.start, len(kept), shape[cut_axes[0]] - kept.stop]
    index = 1 if sizes[0] else 0
    _split(streams, cut_axes[0], [n for n in sizes if n], {index: node.outputs[0]})


def _split(streams: Streams, axis: int, sizes: list[int], outputs: dict[int, object]) -> None:
    x = streams.source()
    shape = shape_of(x)
    as_image, step = laid_out(streams, shape, axis)
    if len(shape) == 3 and streams.layout_of(x).order is None:  # a sequence, cut as it comes
        as_image, step = False, math.prod(shape[axis + 1 :])
    stream = streams.image(x) if as_image else streams.plain(x)
    counts = [size * step for size in sizes]
    slow = math.prod(shape) // sum(counts)
    if not (as_image and axis == 1):
        stream = streams.reshaped(stream, (1, slow, sum(counts)))
    parts = split_channels(streams, stream, counts)
    for index, output in enumerate(streams.node.outputs):
        place = index if len(outputs) > 1 or 0 in outputs else next(iter(outputs))
        if len(outputs) == 1:
            place = next(iter(outputs))
        wanted = shape_of(output)
        y = streams.reshaped(parts[place], image_shape(wanted) if as_image else wanted)
        streams.define(output, y, channels_last(wanted) if as_image else None)


def split_channels(streams: Streams, x: ir.Value, sizes: Sequence[int]) -> list[ir.Value]:
    """A stream [..., sum of sizes] as one stream [..., size] for each size."""
    fact, vectors = streams.fact(x), shape_of(x)[:-1]
    return streams.emit(
        StreamingSplit.create(channels=sizes, x=fact.type, vectors=vectors),
        [x],
        [(*vectors, size) for size in sizes],
        [Integer.of(fact.low.min(), fact.high.max(), datatype=fact.type) for _ in sizes],
    )


LOWERINGS: Mapping[str, Lowering] = {"Split": split, "Slice": cut}
