# SPDX-License-Identifier: Apache-2.0
"""MaxPool and SumPool become a border, windows and a Pool."""

from __future__ import annotations

from collections.abc import Mapping

from qnnc.compiler.integer.window import window_of
from qnnc.compiler.ir.edit import shape_of
from qnnc.compiler.ir.facts import Integer
from qnnc.compiler.lowering import Lowering
from qnnc.compiler.lowering.streams import (
    Streams,
    channels_last,
)
from qnnc.nodes.convolution_input_generator.lower import windows
from qnnc.nodes.fm_padding.lower import padded
from qnnc.nodes.global_acc_pool.lower import total
from qnnc.nodes.pool.node import Pool


def pool(streams: Streams) -> None:
    """MaxPool and SumPool become padding, windows and a Pool; a sum over the whole image a
    GlobalAccPool."""
    node, x = streams.node, streams.source()
    window = window_of(node)
    image = streams.image(x)
    fact, out_fact = streams.fact(image), streams.fact(node.outputs[0])
    channels = shape_of(image)[-1]
    shape = (1, *window.out, channels)
    result = Integer.of(out_fact.low.min(), out_fact.high.max())
    if node.op_type == "SumPool" and window.kernel == window.image and not window.is_padded:
        y = total(streams, image, result)
    else:
        value = int(fact.low.min()) if node.op_type == "MaxPool" else 0
        vectors = windows(streams, padded(streams, image, window, value), window)
        if node.op_type == "MaxPool":
            result = result.with_(datatype=fact.datatype)
        y = streams.emit(
            Pool.create(
                function="MaxPool" if node.op_type == "MaxPool" else "AccPool",
                channels=channels,
                kernel=window.kernel,
                out_image=window.out,
                x=fact.type,
                out=result.type,
            ),
            [vectors],
            [shape],
            [result],
        )[0]
    streams.define(node.outputs[0], y, channels_last(shape_of(node.outputs[0])))


LOWERINGS: Mapping[str, Lowering] = {"MaxPool": pool, "SumPool": pool}
