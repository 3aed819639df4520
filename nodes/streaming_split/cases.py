# SPDX-License-Identifier: Apache-2.0
"""What the tests of StreamingSplit run over, and what it computes, in numpy."""

from __future__ import annotations

from functools import partial

import numpy as np
from qonnx.core.datatype import DataType

from qnnc.compiler.ir.facts import IntArray
from qnnc.nodes.streaming_split.node import StreamingSplit
from qnnc.nodes.testing import Case


def cases() -> list[Case]:
    """Equal parts and others."""
    return [case((4, 4), 2), case((1, 3, 2), 1)]


def case(channels: tuple[int, ...], simd: int) -> Case:
    """Two vectors, taken apart."""
    x = DataType["INT4"]
    new = StreamingSplit.create(channels=channels, x=x, vectors=(2,))
    outputs = tuple((x, (2, count)) for count in channels)
    definition = partial(_parts, channels)
    return Case(new, ((x, (2, sum(channels))),), outputs, definition, {"SIMD": simd})


def _parts(channels: tuple[int, ...], x: IntArray) -> list[IntArray]:
    return list(np.split(x, np.cumsum(channels)[:-1], axis=-1))
