# SPDX-License-Identifier: Apache-2.0
"""Products of two computed tensors become DynamicMVAU."""

from __future__ import annotations

import math

import numpy as np

from qnnc.compiler.ir.edit import shape_of
from qnnc.compiler.ir.facts import Integer
from qnnc.compiler.lowering.streams import Streams, frame_shape, same_order
from qnnc.nodes.dynamic_mvau.node import DynamicMVAU


def product(streams: Streams) -> None:
    """A MatMul of two streams; the matrix is taken as it comes, by rows or by columns."""
    node, x, w = streams.node, streams.source(0), streams.source(1)
    output = node.outputs[0]
    shape, w_shape = shape_of(x), shape_of(w)
    k, m = w_shape[-2:]
    matrices = math.prod(w_shape[:-2])
    numbers = np.arange(math.prod(w_shape), dtype=np.int64).reshape(matrices, k, m)
    by_columns = numbers.swapaxes(1, 2).reshape(-1)
    laid = streams.layout_of(w)
    transposed = not same_order(laid.order, None) and _in_columns(laid.numbers, k, m)
    sides = (m, k) if transposed else (k, m)
    w_stream = streams.ordered(
        w,
        by_columns if transposed else None,
        (1, matrices, *sides) if matrices > 1 else (1, *sides),
    )
    x_stream = streams.ordered(x, None, frame_shape(shape))
    fact = streams.fact(output)
    made = DynamicMVAU.create(
        matrix=(k, m),
        x=streams.fact(x_stream).type,
        weights=streams.fact(w_stream).type,
        out=fact.type,
        vectors=shape_of(x_stream)[:-1],
        matrices=matrices,
        transposed=transposed,
    )
    whole = Integer.of(fact.low.min(), fact.high.max())
    out = frame_shape(shape_of(output))
    y = streams.emit(made, [x_stream, w_stream], [out], [whole], output.dtype)[0]
    streams.define(output, y, None)


def _in_columns(numbers: np.ndarray, k: int, m: int) -> bool:
    """The stream of a matrix [k, m] has more neighbours along a column than along a row."""
    steps = np.diff(numbers)
    return bool(np.count_nonzero(steps == m) > np.count_nonzero(steps == 1)) if k > 1 else False
