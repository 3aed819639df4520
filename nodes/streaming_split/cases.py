# SPDX-License-Identifier: Apache-2.0
"""What the tests of StreamingSplit run over, and what it computes, in numpy."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from qonnx.core.datatype import DataType

from qnnc.compiler.ir.facts import IntArray
from qnnc.nodes.streaming_split.node import StreamingSplit
from qnnc.nodes.testing import Case


def cases() -> list[Case]:
    """One part to four, some of them unused."""
    return [
        split(vectors=(1, 2, 2), channels=(2, 4), simd=2),
        split(vectors=(1, 3), channels=(3, 1, 2), kind="UINT8"),
        split(vectors=(1, 2), channels=(4, 4, 8, 4), simd=4, unused=(1, 3)),
        split(vectors=(1, 4), channels=(1, 5), kind="BINARY", unused=(0,)),
        split(vectors=(1, 3), channels=(6,), simd=3),
    ]


def split(
    *,
    vectors: tuple[int, ...],
    channels: Sequence[int],
    kind: str = "INT4",
    simd: int = 1,
    unused: tuple[int, ...] = (),
) -> Case:
    """A StreamingSplit of a stream with as many channels as its parts have."""
    x = DataType[kind]
    new = StreamingSplit.create(channels=channels, x=x, vectors=vectors)
    outputs = tuple((x, (*vectors, count)) for count in channels)
    inputs = ((x, (*vectors, sum(channels))),)
    ends = tuple(np.cumsum(channels)[:-1].tolist())
    return Case(new, inputs, outputs, partial(_parts, ends), {"SIMD": simd}, unused=unused)


def _parts(ends: tuple[int, ...], x: IntArray) -> list[IntArray]:
    return list(np.split(x, ends, axis=-1))
