# SPDX-License-Identifier: Apache-2.0
"""Elements of a stream taken along one axis, any number of times each, in their order: cut apart
with StreamingSplit, repeated with UpsampleNearestNeighbour, put together with StreamingConcat."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import groupby

import numpy as np
import onnx_ir as ir

from qnnc.compiler.ir.edit import shape_of
from qnnc.compiler.ir.facts import IntArray, Integer
from qnnc.compiler.lowering.streams import Streams, channels_last, image_shape, same_order
from qnnc.nodes.streaming_concat.lower import concat_channels
from qnnc.nodes.streaming_split.lower import split_channels
from qnnc.nodes.upsample_nearest_neighbour.node import UpsampleNearestNeighbour

MOST_PIECES = 16
"""Runs of equal counts along one axis at most: beyond it the nodes would cost more than the
layers."""


def axes_in_stream(streams: Streams, x: ir.Value) -> tuple[ir.Value, list[int]]:
    """The stream of a tensor with its axes one after the other, and which axis comes when: as the
    tensor has them, or channels last."""
    shape = shape_of(x)
    rank = len(shape)
    order = streams.layout_of(x).order
    last = [0, *range(2, rank), 1]
    if rank == 4 or (rank == 3 and order is not None and same_order(order, channels_last(shape))):
        return streams.ordered(x, channels_last(shape), [shape[a] for a in last]), last
    return streams.plain(x), list(range(rank))


def define(streams: Streams, tensor: ir.Value, stream: ir.Value, axes: Sequence[int]) -> None:
    """Say that a stream carries a tensor, with its axes in this order."""
    shape = shape_of(tensor)
    if list(axes) == list(range(len(shape))):
        streams.define(tensor, streams.reshaped(stream, shape), None)
    else:
        streams.define(tensor, streams.reshaped(stream, image_shape(shape)), channels_last(shape))


def pick(streams: Streams, x: ir.Value, picks: Mapping[int, IntArray]) -> None:
    """Let the operator's output be elements of its input: along each axis those with these
    numbers, which never fall.

    Raises:
        ModelError: numbers fall, or come in too many runs.
    """
    stream, axes = axes_in_stream(streams, x)
    dims = [shape_of(x)[axis] for axis in axes]
    for axis, numbers in picks.items():
        place = axes.index(axis)
        stream = along(streams, stream, dims, place, numbers)
        dims[place] = len(numbers)
    define(streams, streams.node.outputs[0], stream, axes)


def along(
    streams: Streams, stream: ir.Value, dims: Sequence[int], place: int, picks: IntArray
) -> ir.Value:
    """A stream [dims], with these indices of one dimension.

    Raises:
        ModelError: indices fall, or come in too many runs.
    """
    size = dims[place]
    if picks.size == 0 or np.any(np.diff(picks) < 0):
        raise streams.error("its elements come out in another order; only their number may change")
    if np.array_equal(picks, np.arange(size)):
        return stream
    slow, each = math.prod(dims[:place]), math.prod(dims[place + 1 :])
    steps = np.unique(np.diff(picks))
    if steps.size == 1 and steps[0] > 1:
        return _stepped(streams, stream, (slow, size, each), picks)
    counts = np.bincount(picks, minlength=size)
    runs = [(int(count), len(list(same))) for count, same in groupby(counts.tolist())]
    if len(runs) > MOST_PIECES:
        raise streams.error(
            f"its elements are taken in {len(runs)} runs of different counts along one axis, "
            f"{MOST_PIECES} are the most; use whole factors"
        )
    lengths = [length * each for _, length in runs]
    parts = _cut(streams, stream, slow, lengths)
    kept = []
    for part, (count, length) in zip(parts, runs, strict=True):
        if count:
            kept.append(_repeated(streams, part, slow * length, count, each, slow))
    return kept[0] if len(kept) == 1 else concat_channels(streams, kept, streams.fact(stream))


def _cut(streams: Streams, stream: ir.Value, slow: int, lengths: Sequence[int]) -> list[ir.Value]:
    wide = streams.reshaped(stream, (1, slow, sum(lengths)))
    return [wide] if len(lengths) == 1 else split_channels(streams, wide, lengths)


def _stepped(
    streams: Streams, stream: ir.Value, sizes: tuple[int, int, int], picks: IntArray
) -> ir.Value:
    """Every step-th index: the axis is taken as groups of `step`, of each of which one is kept."""
    slow, size, each = sizes
    first, step, count = int(picks[0]), int(picks[1] - picks[0]), picks.size
    inside = next(
        (i for i in range(min(first, step - 1) + 1) if first - i + step * count <= size), -1
    )
    groups = count if inside >= 0 else count - 1  # the last group may be cut off
    start = first - max(inside, 0)
    lengths = [start, step * groups, 1, size - start - step * groups - 1]
    if inside >= 0:
        lengths[2:] = [0, size - start - step * groups]
    present = [length for length in lengths if length]
    parts = iter(_cut(streams, stream, slow, [length * each for length in present]))
    found = [next(parts) if length else None for length in lengths]
    body = found[1]
    assert body is not None
    apart = [max(inside, 0), 1, step - 1 - max(inside, 0)]
    grouped = streams.reshaped(body, (1, slow * groups, step * each))
    ones = split_channels(streams, grouped, [n * each for n in apart if n])
    kept = streams.reshaped(ones[1 if apart[0] else 0], (1, slow, groups * each))
    if inside >= 0:
        return kept
    assert found[2] is not None
    return concat_channels(streams, [kept, found[2]], streams.fact(stream))


def _repeated(
    streams: Streams, stream: ir.Value, groups: int, count: int, each: int, slow: int
) -> ir.Value:
    """Every group of `each` elements so many times; as [1, slow, ...]."""
    if count > 1:
        stream = repeat(streams, streams.reshaped(stream, (1, groups, 1, each)), count)
    return streams.reshaped(stream, (1, slow, groups * count * each // slow))


def repeat(streams: Streams, x: ir.Value, count: int) -> ir.Value:
    """A stream [1, groups, 1, each] with every group `count` times."""
    _, groups, _, each = shape_of(x)
    fact = streams.fact(x)
    return streams.emit(
        UpsampleNearestNeighbour.create(
            channels=each, image=(groups, 1), out_image=(groups * count, 1), x=fact.type
        ),
        [x],
        [(1, groups * count, 1, each)],
        [Integer.of(fact.low.min(), fact.high.max(), datatype=fact.type)],
    )[0]


def broadcast(streams: Streams, x: ir.Value, shape: Sequence[int], axes: Sequence[int]) -> ir.Value:
    """The stream of a tensor that is repeated along the axes in which it is of size one.

    Args:
        shape: of the result; the tensor's own shape broadcasts to it.
        axes: the order in which the axes come in the stream.
    """
    own = [1] * (len(shape) - len(shape_of(x))) + list(shape_of(x))
    numbers = np.arange(math.prod(own), dtype=np.int64).reshape(own)
    order = numbers.transpose(list(axes)).reshape(-1)
    dims = [own[axis] for axis in axes]
    stream = streams.ordered(x, order, (1, *dims))
    wanted = [int(shape[axis]) for axis in axes]
    place = 0
    while place < len(dims):
        count, end = 1, place
        while end < len(dims) and dims[end] == 1:  # neighbouring axes are repeated at once
            count, end = count * wanted[end], end + 1
        if count > 1:
            groups, each = math.prod(wanted[:place]), math.prod(dims[end:])
            stream = repeat(streams, streams.reshaped(stream, (1, groups, 1, each)), count)
        place = max(end, place + 1)
    return streams.reshaped(stream, wanted)
