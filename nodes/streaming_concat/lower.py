# SPDX-License-Identifier: Apache-2.0
"""Concat becomes a StreamingConcat."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import onnx_ir as ir

from qnnc.compiler.ir.edit import attribute, shape_of
from qnnc.compiler.ir.facts import Integer
from qnnc.compiler.lowering import Lowering
from qnnc.compiler.lowering.channels import laid_out
from qnnc.compiler.lowering.streams import (
    Streams,
    channels_last,
    image_shape,
)
from qnnc.nodes.streaming_concat.node import StreamingConcat


def concat(streams: Streams) -> None:
    """Concat along any axis: what follows each other in the stream is put side by side."""
    node = streams.node
    values = [streams.source(i) for i in range(len(node.inputs))]
    output = node.outputs[0]
    shape = shape_of(output)
    axis = int(attribute(node, "axis")) % len(shape)
    as_image, step = laid_out(streams, shape, axis)
    inputs = []
    sizes = [shape_of(v)[axis] * step for v in values]
    slow = math.prod(shape) // sum(sizes)
    for value, size in zip(values, sizes, strict=True):
        stream = streams.image(value) if as_image else streams.plain(value)
        wanted = shape_of(stream) if as_image and axis == 1 else (1, slow, size)
        inputs.append(streams.reshaped(stream, wanted))
    y = concat_channels(streams, inputs, streams.fact(output))
    whole = image_shape(shape) if as_image else shape
    y = streams.reshaped(y, whole)
    streams.define(output, y, channels_last(shape) if as_image else None)


def concat_channels(streams: Streams, inputs: Sequence[ir.Value], fact: Integer) -> ir.Value:
    """Streams [..., C_i] side by side, as [..., sum of C_i].

    Args:
        fact: says the range of the result.
    """
    sizes = [shape_of(value)[-1] for value in inputs]
    vectors = shape_of(inputs[0])[:-1]
    return streams.emit(
        StreamingConcat.create(
            channels=sizes,
            x=[streams.fact(value).type for value in inputs],
            out=fact.type,
            vectors=vectors,
        ),
        inputs,
        [(*vectors, sum(sizes))],
        [Integer.of(fact.low.min(), fact.high.max())],
    )[0]


LOWERINGS: Mapping[str, Lowering] = {"Concat": concat}
