# SPDX-License-Identifier: Apache-2.0
"""What the tests of StreamingConcat run over, and what it computes, in numpy."""

from __future__ import annotations

import numpy as np
from qonnx.core.datatype import DataType

from qnnc.compiler.datatypes import smallest_type
from qnnc.compiler.ir.facts import IntArray
from qnnc.nodes.streaming_concat.node import StreamingConcat
from qnnc.nodes.testing import Case


def cases() -> list[Case]:
    """Streams of one type and of several."""
    return [case(("UINT3", "UINT3"), (2, 4), 2), case(("INT3", "UINT2", "INT5"), (2, 1, 3), 1)]


def case(kinds: tuple[str, ...], channels: tuple[int, ...], simd: int) -> Case:
    """Two vectors of so many channels each."""
    types = [DataType[kind] for kind in kinds]
    out = smallest_type(
        min(int(t.min()) for t in types),
        max(int(t.max()) for t in types),
    )
    new = StreamingConcat.create(channels=channels, x=types, out=out, vectors=(2,))
    streams = tuple((kind, (2, count)) for kind, count in zip(types, channels, strict=True))
    return Case(new, streams, ((out, (2, sum(channels))),), _joined, {"SIMD": simd})


def _joined(*streams: IntArray) -> list[IntArray]:
    return [np.concatenate(streams, axis=-1)]
